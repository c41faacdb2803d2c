"""Names that are computed, never stored: session id, pod name, place on the volume, labels."""

import re
from enum import StrEnum
from functools import lru_cache
from typing import Final, NamedTuple

MAX_SESSION_NAME: Final = 52
"""Longest name of a MeetingSession, so that everything derived from it fits 63 characters."""

LABEL_SESSION_UID: Final = "meetingbuddy.io/session-uid"
LABEL_ATTEMPT: Final = "meetingbuddy.io/attempt"
LABEL_COMPONENT: Final = "app.kubernetes.io/component"


class Role(StrEnum):
    """What a pod of a session is for; its component label."""

    BOT = "bot"
    FINISHER = "finisher"
    """Finishes and verifies the files that a bot left."""


class PodId(NamedTuple):
    """Which of a session's pods."""

    attempt: int
    """From 1."""
    role: Role = Role.BOT


FIRST_BOT: Final = PodId(1)
"""The bot that most sessions have alone."""

POD_SELECTOR: Final = f"{LABEL_COMPONENT} in ({', '.join(Role)}),{LABEL_SESSION_UID}"
"""Server-side label selector for the pods of sessions and no others."""

FINALIZER_OUTCOME: Final = "meetingbuddy.io/outcome"
"""Finalizer a session's pod is created with; released once its outcome is in the session's status."""

_POD_NAME: Final = re.compile(r"(.+)-([1-9][0-9]{0,5})(-f)?")

ANNOTATION_CREATED_BY: Final = "meetingbuddy.io/created-by"
ANNOTATION_REQUESTED_AT: Final = "meetingbuddy.io/requested-at"
"""When the HTTP API was asked for a session; RFC 3339."""

ANNOTATION_ASSIGNMENT: Final = "meetingbuddy.io/assignment-sha256"
"""SHA-256 of the assignment that a pod was made for; its bot refuses any other."""
ANNOTATION_REQUEST: Final = "meetingbuddy.io/request-hmac"
"""HMAC-SHA256 of what a bot's pod was made for and the session's author may change until there is one."""
ANNOTATION_KEY: Final = "meetingbuddy.io/control-key"
"""Fingerprint of the key from which a pod's control token is derived."""


def session_id(uid: str) -> str:
    """``mbsess_`` and the MeetingSession's uid without dashes."""
    return "mbsess_" + uid.replace("-", "")


@lru_cache(maxsize=4096)
def pod_name(session_name: str, uid: str, attempt: int, role: Role = Role.BOT) -> str:
    """Name of a session's pod and of its Secret: deterministic, so that two operators cannot make two."""
    name = f"{session_name[:45].rstrip('-.')}-{uid[:8]}-{attempt}"
    return name if role is Role.BOT else f"{name}-f"


def pod_id(name: str, uid: str) -> PodId | None:
    """Which of a session's pods has this name, as :func:`pod_name` makes it; ``None``: none has.

    A name never changes; of labels nobody knows who edits them.
    """
    found = _POD_NAME.fullmatch(name)
    if found is None or not found[1].endswith(f"-{uid[:8]}"):
        return None
    return PodId(int(found[2]), Role.FINISHER if found[3] else Role.BOT)


def pod_labels(uid: str, pod: PodId) -> dict[str, str]:
    """Labels by which the operator finds a session's pod."""
    return {LABEL_COMPONENT: pod.role.value, LABEL_SESSION_UID: uid, LABEL_ATTEMPT: str(pod.attempt)}


def volume_path(namespace: str, session: str) -> str:
    """Folder of a session below the recordings volume's root."""
    return f"{namespace}/{session}"
