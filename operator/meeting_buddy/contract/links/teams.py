"""What a table cannot say: Teams' own pages carry the meeting's link in a query parameter, encoded."""

import base64
import binascii
import json
from typing import Final
from urllib.parse import quote, unquote

from meeting_buddy.contract.text import well_formed

_LEGAL: Final = "/?#&=:@!$'()*+,;%[]~"
"""Characters of an address besides letters and digits; ``%`` because what is encoded stays so."""


def launched(value: str) -> str | None:
    """The link, from its path on, in the launcher page's ``url``: ``/_#/meet/…``, encoded once more than a link."""
    address = unquote(value)
    return quote(address, safe=_LEGAL) if address.startswith("/") else None


def at_coordinates(value: str) -> str | None:
    """The link in the light client's ``coords``: a number and a passcode, a link, or a thread with its tenant."""
    meeting = _document(value)
    if code := "".join(meeting.get("meetingCode", "").split()):
        passcode = meeting.get("passcode")
        return f"/meet/{_quoted(code)}" + (f"?p={_quoted(passcode)}" if passcode else "")
    if link := meeting.get("meetingUrl"):
        return link
    if thread := meeting.get("conversationId"):
        ids = {"Tid": meeting.get("tenantId"), "Oid": meeting.get("organizerId")}
        context = json.dumps({name: each for name, each in ids.items() if each}, separators=(",", ":"))
        return f"/l/meetup-join/{_quoted(thread)}/{_quoted(meeting.get('messageId') or '0')}?context={_quoted(context)}"
    return None


def _document(value: str) -> dict[str, str]:
    """The JSON object's texts and numbers."""
    coded = unquote(value).replace("-", "+").replace("_", "/").replace(" ", "+")
    try:
        document = json.loads(base64.b64decode(coded.rstrip("=") + "=" * (-len(coded.rstrip("=")) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        return {}
    if not isinstance(document, dict):
        return {}
    return {name: well_formed(str(each)) for name, each in document.items() if isinstance(each, str | int)}


def _quoted(text: str) -> str:
    return quote(text, safe="")
