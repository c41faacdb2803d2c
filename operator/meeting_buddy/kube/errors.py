"""Every failed call to the API server is one error: what was asked, of which object, and what the answer was."""

import json
import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

LONGEST_WAIT: Final = 300.0
"""Seconds of a ``Retry-After`` that are believed."""
_UNREADABLE: Final = "Unreadable"
DENIAL: Final = re.compile(
    r"(?:ValidatingAdmissionPolicy '.*?' with binding '.*?'|admission webhook \".*?\") denied (?:the )?request"
)
"""How the API server says which policy or webhook refused; what that one says itself comes behind ``: ``."""


class ObjectRef(NamedTuple):
    """The object that a call is about."""

    kind: str
    namespace: str
    """Empty for what is in none."""
    name: str
    """Empty where all of them are meant."""


class StatusCause(NamedTuple):
    """One of the faults that the API server found in an object."""

    field: str
    """Path in the object, such as ``spec.botName``; empty where the object as a whole is meant."""
    message: str


class KubeError(Exception):
    """A call that failed; ``status`` 0 means that no answer came (network, timeout)."""

    def __init__(
        self,
        kind: str,
        namespace: str,
        name: str,
        status: int,
        reason: str,
        message: str,
        retry_after: float = 0.0,
        causes: tuple[StatusCause, ...] = (),
    ) -> None:
        super().__init__(f"{kind} {namespace}/{name}: {status} {reason}: {message}")
        self.kind = kind
        self.namespace = namespace
        self.name = name
        self.status = status
        self.reason = reason
        self.message = message
        self.retry_after = retry_after
        """Seconds that the API server asked to wait (header ``Retry-After``, of 429 and 503)."""
        self.causes = causes
        """What is wrong with which field, where the API server says it (422). May quote values."""

    @property
    def not_found(self) -> bool:
        """There is no such object: in the API server's own word, as a proxy, or a kind not served, is a 404, too."""
        return self.status == 404 and self.reason == "NotFound"

    @property
    def exists(self) -> bool:
        """An object of this name is there already."""
        return self.status == 409 and self.reason == "AlreadyExists"

    @property
    def unreadable(self) -> bool:
        """An answer came, and it makes no sense: it is not of the API server, or of one that nobody knows yet."""
        return self.reason == _UNREADABLE

    @property
    def conflict(self) -> bool:
        """The object changed since it was read."""
        return self.status == 409 and not self.exists

    @property
    def unknown_selector(self) -> bool:
        """The API server does not know the field to select by: Kubernetes before 1.31, or an older CRD."""
        return self.status == 400 and "field label" in self.message

    @property
    def invalid(self) -> bool:
        """The object would not be valid; a name whose uid is another one too."""
        return self.status == 422

    @property
    def refused(self) -> bool:
        """The API server understood and said no; asking again alone changes nothing (403, 422, other 4xx).

        Its own answers name a reason, but for what a webhook denies without one; a proxy's do not.
        """
        own = self.reason != "" or self.denied
        return own and 400 <= self.status < 500 and self.status not in (401, 404, 408, 409, 429)

    @property
    def denied(self) -> bool:
        """An admission policy or webhook said no. It chooses the status itself, and 400 stands for none."""
        return 400 <= self.status < 500 and DENIAL.search(self.message) is not None

    @classmethod
    def of_nonsense(cls, about: ObjectRef) -> "KubeError":
        """An answer that cannot be read."""
        return cls(*about, 502, _UNREADABLE, "the API server's answer cannot be read")

    @classmethod
    def from_answer(
        cls, about: ObjectRef, status: int, body: bytes, headers: Mapping[str, str] | None = None
    ) -> "KubeError":
        """Read the ``Status`` object of an answer; whatever else came is cut and quoted."""
        try:
            document = json.loads(body)
            reason, message = str(document.get("reason") or ""), str(document.get("message") or "")
            causes = _causes(document)
        except (ValueError, AttributeError, TypeError, RecursionError):
            reason, message, causes = "", body[:200].decode(errors="replace"), ()
        wait = _seconds((headers or {}).get("Retry-After", ""))
        return cls(*about, status, reason, message, wait, causes)


def _causes(document: dict[str, Any]) -> tuple[StatusCause, ...]:
    found = (document.get("details") or {}).get("causes") or []
    return tuple(StatusCause(str(each.get("field") or ""), str(each.get("message") or "")) for each in found)


def _seconds(text: str) -> float:
    """Seconds of a ``Retry-After``; the API server never sends the other form, a date."""
    return min(float(text), LONGEST_WAIT) if text.isdecimal() else 0.0
