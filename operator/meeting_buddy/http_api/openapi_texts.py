"""What the OpenAPI document says beside what FastAPI tells: examples, headers, links, who has which problems."""

import json
from typing import Any, Final

from meeting_buddy.http_api.documents import EXAMPLE
from meeting_buddy.http_api.problems import ProblemError, not_found, not_yet, unauthorized
from meeting_buddy.http_api.readers import too_many_files

DESCRIPTION: Final = """\
Starts bots that attend online meetings, and follows them. Every call is made to Kubernetes with your own token: what it
may do there, it may do here. Problems are RFC 9457 documents; tell them apart by `type`.
"""
_SESSION_ID: Final = "mbsess_0123456789abcdef0123456789abcdef"
_AT: Final = "2026-11-26T10:00:{:02}.000Z"
_FRESH: Final[dict[str, Any]] = {
    "session_id": _SESSION_ID,
    "organization_id": "team-a",
    "user_id": "system:serviceaccount:team-a:caller",
    "meeting_link": EXAMPLE["meeting_link"],
    "platform": "teams",
    "bot_name": EXAMPLE["bot_name"],
    "start_time": None,
    "end_time": None,
    "status": "initializing",
    "transcription_enabled": EXAMPLE["transcription_enabled"],
    "transcription_language": EXAMPLE["transcription_language"],
    "debug_mode": False,
    "created_at": _AT.format(0),
    "updated_at": _AT.format(0),
    "join_timestamp": None,
    "leave_timestamp": None,
    "total_duration_seconds": None,
    "segment_count": None,
    "audio_file_count": None,
    "video_file_count": None,
    "total_size_bytes": None,
    "output_directory": None,
    "error_message": None,
    "error_code": None,
    "metadata": {},
    "current_participants": None,
    "participant_history": None,
}
_LATER: Final[dict[str, Any]] = {
    **_FRESH,
    "status": "recording",
    "updated_at": _AT.format(21),
    "join_timestamp": _AT.format(20),
    "output_directory": f"team-a/{_SESSION_ID}",
    "current_participants": {"count": 1, "participants": [{"name": "Jane", "joined_at": _AT.format(25)}]},
    "participant_history": [{"name": "Jane", "event": "joined", "at": _AT.format(25)}],
}
_SHA256: Final = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
_FILE: Final[dict[str, Any]] = {
    "name": "recording.mp4",
    "kind": "recording",
    "media_type": "video/mp4",
    "size_bytes": 52428800,
    "sha256": _SHA256,
    "final": True,
    "url": f"/v1/meeting-buddy/sessions/{_SESSION_ID}/recordings/recording.mp4?namespace=team-a",
}
_LINE: Final[dict[str, Any]] = {
    "segment": "12",
    "revision": 2,
    "final": True,
    "speaker": "Jane",
    "source": "hints",
    "start": 21.2,
    "end": 22.1,
    "at": _AT.format(21),
    "language": "en",
    "text": "Good morning.",
    "words": [
        {"text": "Good", "start": 21.2, "end": 21.5, "probability": 0.98},
        {"text": "morning.", "start": 21.5, "end": 22.1, "probability": 0.95},
    ],
    "committed": 0,
}
ANSWERS: Final[dict[str, tuple[str, Any]]] = {
    "createSession": ("The session. Its bot comes a little later.", _FRESH),
    "listSessions": ("A page of sessions.", {"sessions": [_LATER], "next_cursor": None}),
    "getSession": ("The session.", _LATER),
    "leaveSession": ("The session. Its bot leaves a little later.", {**_LATER, "status": "leaving"}),
    "deleteSession": ("It is deleted.", None),
    "followSession": ("", f"event: session\nid: 4711\ndata: {json.dumps(_LATER)}\n\nevent: end\ndata: {{}}\n\n"),
    "followTranscript": ("", f"event: line\nid: 1\ndata: {json.dumps(_LINE)}\n\nevent: end\ndata: {{}}\n\n"),
    "listRecordings": ("Its files.", {"recordings": [_FILE], "verified": True}),
    "downloadRecording": ("", None),
}
"""By operation: what its success means, and an example."""
BODIES: Final[dict[str, dict[str, Any]]] = {
    "documented": {"summary": "A Teams meeting, with a transcript", "value": EXAMPLE},
    "smallest": {"summary": "Nothing but the link", "value": {"meeting_link": "https://zoom.us/j/1234567890"}},
    "secret": {
        "summary": "The link is in a Secret, sound alone is recorded",
        "value": {
            "meeting_link_secret_ref": {"name": "weekly", "key": "link"},
            "platform": "google_meet",
            "recording": {"video": "none"},
            "metadata": {"team": "sales"},
        },
    },
}
PARAMETERS: Final[dict[str, dict[str, Any]]] = {
    "namespace": {"example": "team-a"},
    "session_id": {"example": _SESSION_ID},
    "status": {"example": "recording"},
    "platform": {"example": "teams"},
    "limit": {"example": 50},
    "Idempotency-Key": {"example": "monday-2026-11-30", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
    "Last-Event-ID": {"example": "17"},
    "name": {"example": "recording.mp4"},
}
"""By parameter: an example, and what a schema says of it that no validator of FastAPI does."""
_MEDIA: Final = frozenset({"followTranscript", "listRecordings", "downloadRecording"})
_WRITING: Final = frozenset({"createSession", "leaveSession", "deleteSession"})
ONLY: Final[dict[str, frozenset[str]]] = {
    "conflict": _WRITING,
    "admission-denied": _WRITING,
    "quota-exceeded": frozenset({"createSession"}),
    "idempotency-key-reused": frozenset({"createSession"}),
    "not-yet": frozenset({"followTranscript"}),
    "no-transcript": frozenset({"followTranscript"}),
    "too-many-files": frozenset({"listRecordings"}),
    "bot-unavailable": frozenset({"followTranscript"}),
    "no-such-recording": frozenset({"listRecordings", "downloadRecording"}),
    "precondition-failed": frozenset({"downloadRecording"}),
    "range-not-satisfiable": frozenset({"downloadRecording"}),
    "reader-unavailable": _MEDIA,
}
"""Problems that few operations have; any other may come with its status everywhere."""
SAID: Final[dict[str, ProblemError]] = {
    each.kind: each
    for each in (
        unauthorized(),
        not_found(),
        not_yet("the session has no bot yet"),
        too_many_files(),
        ProblemError("invalid", "it has to be an https link", field="meeting_link"),
        ProblemError("bad-request", "the body is not JSON"),
        ProblemError("namespace-missing", "your token belongs to no namespace", field="namespace"),
        ProblemError("forbidden", "your token may not list meetingsessions in namespace team-a"),
        ProblemError("cursor-expired", "list again without a cursor", field="cursor"),
        ProblemError(
            "idempotency-key-reused",
            "the session of this Idempotency-Key was created with another body",
            field="Idempotency-Key",
            remedy="Use a new key for each session. A key lives as long as its session does.",
        ),
    )
}
HEADERS: Final[dict[str, dict[str, Any]]] = {
    "Location": {
        "description": "Path of the session, its namespace included.",
        "schema": {"type": "string", "format": "uri-reference"},
        "example": f"/v1/meeting-buddy/sessions/{_SESSION_ID}?namespace=team-a",
    },
    "Idempotency-Replayed": {
        "description": "There where an earlier request with this Idempotency-Key had started the session.",
        "schema": {"type": "string", "const": "true"},
    },
    "Retry-After": {
        "description": "Seconds to wait before repeating, where repeating helps.",
        "schema": {"type": "integer", "minimum": 1},
        "example": 5,
    },
    "WWW-Authenticate": {"description": "How to say who you are.", "schema": {"type": "string"}, "example": "Bearer"},
    "ETag": {
        "description": "Of a file that is final: its SHA-256, strong.",
        "schema": {"type": "string"},
        "example": f'"{_SHA256}"',
    },
    "Accept-Ranges": {"description": "Parts can be asked for.", "schema": {"type": "string"}, "example": "bytes"},
    "Content-Range": {
        "description": "Which part it is, and of how many bytes.",
        "schema": {"type": "string"},
        "example": "bytes 1000-1999/52428800",
    },
}
_HEADERS_OF: Final[dict[str, tuple[str, ...]]] = {
    "201": ("Location", "Idempotency-Replayed"),
    "401": ("WWW-Authenticate",),
    "416": ("Content-Range",),
    **dict.fromkeys(("409", "429", "503", "504"), ("Retry-After",)),
    "downloadRecording 200": ("ETag", "Accept-Ranges"),
    "downloadRecording 206": ("ETag", "Accept-Ranges", "Content-Range"),
    "downloadRecording 304": ("ETag",),
    "downloadRecording 404": ("Retry-After",),
}
"""By status, or by operation and status."""
_THAT: Final = {"session_id": "$response.body#/session_id", "namespace": "$response.body#/organization_id"}
LINKS: Final[dict[str, dict[str, Any]]] = {
    "createSession": {
        each: {"operationId": each, "parameters": _THAT}
        for each in ("getSession", "leaveSession", "deleteSession", "listRecordings")
    },
    "listSessions": {
        "next": {
            "operationId": "listSessions",
            "parameters": {
                **{each: f"$request.query.{each}" for each in ("namespace", "status", "platform", "limit")},
                "cursor": "$response.body#/next_cursor",
            },
        }
    },
}
"""By operation: what can be done with its answer. What a request did not have, its link does not have either."""


def _condition(name: str, description: str, example: str) -> dict[str, Any]:
    header = {"name": name, "in": "header", "required": False, "schema": {"type": "string"}}
    return {**header, "description": description, "example": example}


CONDITIONS: Final[dict[str, list[dict[str, Any]]]] = {
    "downloadRecording": [
        _condition("Range", "Which part; one range. Anything odd is ignored.", "bytes=1000-1999"),
        _condition("If-Range", "An ETag: a part of this file, or else the whole of the new one.", f'"{_SHA256}"'),
        _condition("If-Match", "An ETag: 412 where the file is another one.", f'"{_SHA256}"'),
        _condition("If-None-Match", "An ETag: 304 where the file is still the same.", f'"{_SHA256}"'),
    ]
}
"""By operation: header parameters that its route passes on and does not read itself."""


def headers_of(operation: str, status: str) -> tuple[str, ...]:
    """Names of the headers that an answer may have beside what each answer has."""
    return _HEADERS_OF.get(f"{operation} {status}", _HEADERS_OF.get(status, ()))
