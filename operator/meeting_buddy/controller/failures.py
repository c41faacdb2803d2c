"""From what a reconciliation failed on to the fact that ``domain.decide`` and people may see.

Its text goes into status, Events and logs, so it never quotes a link or a Secret's value: words about a Secret are
dropped but for a webhook's name and that it exists, the rest is redacted as all that a bot writes, and of an exception
that nobody raised on purpose only the type is shown.
"""

import re
import traceback
from datetime import datetime
from typing import Final

from meeting_buddy.contract.link_secrets import UNKNOWN_PLATFORM
from meeting_buddy.contract.links import LinkError, LinkRules, parse_link
from meeting_buddy.contract.redaction import Redactor
from meeting_buddy.domain.facts import QUOTA_EXCEEDED, ReconcileError
from meeting_buddy.kube.api import DRY_RUN
from meeting_buddy.kube.errors import KubeError

MAX_MESSAGE: Final = 400
_WEBHOOK: Final = re.compile(r'webhook "[A-Za-z0-9.-]+"')
_REASON: Final = re.compile(r"[A-Z][A-Za-z]{0,63}")


class UnsettledError(Exception):
    """A reconciliation learned something new each time it looked, without end."""


def counted(known: ReconcileError | None, error: Exception, link: str | None, now: datetime) -> ReconcileError:
    """One more failure in a row; ``known`` are those before it."""
    return ReconcileError(
        reason=_reason(error),
        message=_message(error, link)[:MAX_MESSAGE],
        count=known.count + 1 if known is not None else 1,
        since=known.since if known is not None else now,
    )


def origin(error: Exception) -> list[str]:
    """Where an exception came from, as ``file:line function``; never its text, which may quote anything."""
    return [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(error.__traceback__)]


def without_link(text: str, link: str | None) -> str:
    """``text`` without the link, any part of it that may be a secret, and any other address's path."""
    redact = Redactor.for_link(link, rules=_rules(link)) if link else Redactor()
    return redact(text)


def _rules(link: str) -> LinkRules:
    """Of the link's platform, so that words which all its links have stay; of a self-hosted kind nothing is public."""
    try:
        return parse_link(link).rules
    except LinkError:
        return UNKNOWN_PLATFORM


def _reason(error: Exception) -> str:
    if not isinstance(error, KubeError):
        return "OperatorError"
    if "exceeded quota" in error.message:
        return QUOTA_EXCEEDED
    if error.status == 0:
        return "ApiServerUnreachable"
    return error.reason if _REASON.fullmatch(error.reason) else f"Http{error.status}"


def _message(error: Exception, link: str | None) -> str:
    if isinstance(error, KubeError):
        said, kind = error.message, error.kind.removesuffix(DRY_RUN)
        if kind == "Secret" and not error.exists:
            found = _WEBHOOK.search(said)
            said = f"refused by {found[0]}" if found else ""
        # The object's name stays, also where a word of the link is in it: it is nobody's secret.
        return f"{kind} {error.name}: {without_link(said or error.reason, link) or error.status}"
    # Subclasses such as pydantic's ValidationError quote their input; a plain ValueError is our own sentence.
    if type(error) is ValueError or isinstance(error, UnsettledError):
        return without_link(str(error).partition("\n")[0], link)
    return f"{type(error).__name__} in the operator; its log says where"
