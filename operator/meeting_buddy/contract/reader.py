"""Requests to the recordings reader: where it is found, and the tokens that the HTTP API signs for it.

One reader runs beside each shared claim. It knows one key, made from the installation's read key and its namespace's
name: who takes a reader's key can read that namespace's recordings from that reader, and nothing else. A token is good
for one session and one name, for minutes; nothing stores it.
"""

import hashlib
import hmac
import re
from enum import StrEnum
from typing import Final

PORT: Final = 8471
SERVICE: Final = "meeting-buddy-reader"
"""Name of the Service, and of the Deployment behind it, in each namespace with recordings."""
KEY_SECRET: Final = "meeting-buddy-reader-key"  # noqa: S105 - a name
"""Name of the Secret in the same namespace; the operator creates it where it is absent."""
KEY_ITEM: Final = "key"
"""Its one item: the 32 bytes of :func:`reader_key`, raw."""
NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}(/[A-Za-z0-9_][A-Za-z0-9._-]{0,99}){0,3}", re.ASCII)
"""What may be a name: no dot in front (unfinished work), nothing that has a meaning in an address or a header."""
MAX_FILES: Final = 30_000
"""Of a list: five bots of 48 hours that follow each other, in 40 MB of memory. Of more there is no list."""
TOKEN_SECONDS: Final = 120
"""How far ahead of now the HTTP API lets a token expire."""
MAX_SECONDS: Final = 600
"""A token that expires later than so much ahead is refused: no signer makes one, whatever its clock says."""


class Unavailable(StrEnum):
    """Why a reader answers 503: the one line of that answer."""

    BUSY = "too many requests are running, or this process ends"
    LISTING = "too many lists are being made"
    VOLUME = "the volume does not answer"
    KEY = "there is no key that can be used"


_TOKEN: Final = re.compile(r"([1-9][0-9]{0,15})\.([0-9a-f]{64})", re.ASCII)


def reader_key(read_key: bytes, namespace: str) -> bytes:
    """The key of one namespace's reader: HMAC-SHA256 of ``reader/<namespace>`` under the read key, 32 bytes."""
    return hmac.new(read_key, f"reader/{namespace}".encode(), hashlib.sha256).digest()


def sign(key: bytes, session_id: str, name: str, expires: int) -> str:
    """The token for one file of one session.

    Args:
        key: of the session's namespace, see :func:`reader_key`.
        session_id: ``mbsess_…``.
        name: as the list says it; empty: the list itself.
        expires: Unix seconds.
    """
    return f"{expires}.{_signature(key, session_id, name, str(expires))}"


def allows(key: bytes, token: str, session_id: str, name: str, now: float) -> bool:
    """Whether a token is good for a file now; compares in constant time, raises nothing for any text.

    Args:
        key: of this namespace.
        token: what came as bearer token.
        session_id: of the request.
        name: of the request; empty: the list.
        now: Unix seconds. False at the second of expiry and after, and more than ``MAX_SECONDS`` before it.
    """
    found = _TOKEN.fullmatch(token)
    if found is None:
        return False
    expires, signature = found.groups()
    # With a slash in the session's place, the signed text could be divided in another way than it was meant.
    genuine = hmac.compare_digest(signature, _signature(key, session_id, name, expires)) and "/" not in session_id
    return genuine and now < int(expires) <= now + MAX_SECONDS


def _signature(key: bytes, session_id: str, name: str, expires: str) -> str:
    # Text that no one can have signed, such as half a surrogate pair, is encoded all the same: it matches nothing.
    text = f"{session_id}/{name}/{expires}".encode(errors="surrogatepass")
    return hmac.new(key, text, hashlib.sha256).hexdigest()
