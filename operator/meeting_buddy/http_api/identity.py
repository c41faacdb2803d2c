"""Who calls: one well-formed bearer token, which Kubernetes judges with every call that is made with it.

Nothing here says yes. A request without a token that could be one is refused before any call; whether the token is
good, and what it may do, the API server says each time. No answer of it is remembered.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from meeting_buddy.http_api.problems import unauthorized

MAX_TOKEN: Final = 16 * 1024
"""Longest token in bytes."""
_TOKEN68: Final = re.compile(rb"Bearer ([A-Za-z0-9\-._~+/]+=*)")
_SERVICE_ACCOUNT: Final = re.compile(r"system:serviceaccount:(?P<namespace>[a-z0-9-]{1,63}):[a-z0-9.-]+")


@dataclass(slots=True)
class Known:
    """What turned out about a request while it was answered, for its line in the log. Nothing decides by it."""

    user: str = ""
    """As the API server says."""
    credential: str = ""
    """The API server's name of the token, such as ``JTI=…``, which its audit log has as well."""
    namespace: str = ""
    session_id: str = ""


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody with a token, in one request. Its representation is free of secrets."""

    token: str = field(repr=False)
    known: Known = field(default_factory=Known, repr=False, compare=False)


def bearer(headers: Iterable[tuple[bytes, bytes]]) -> Caller:
    """The caller of a request, from all of its headers.

    Kubernetes itself reads ``Authorization`` generously: it takes the second word and treats what it does not know as
    no credential at all. So only the exact form passes, once.

    Raises:
        ProblemError: 401; there is no such header, or more than one, or it is not ``Bearer`` + one blank + token68.
    """
    given = [value for name, value in headers if name.lower() == b"authorization"]
    if len(given) != 1:
        raise unauthorized(
            "there is no Authorization header" if not given else "there are several Authorization headers"
        )
    found = _TOKEN68.fullmatch(given[0]) if len(given[0]) <= MAX_TOKEN + len("Bearer ") else None
    if found is None:
        raise unauthorized("the Authorization header is not of the form Bearer TOKEN")
    return Caller(found[1].decode("ascii"))


def namespace_of(username: str) -> str | None:
    """The namespace of a service account; ``None`` for people."""
    found = _SERVICE_ACCOUNT.fullmatch(username)
    return found["namespace"] if found else None
