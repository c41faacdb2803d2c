"""Bearer tokens of a bot's report server.

The operator derives a token from its key whenever it needs one and stores none; the pod knows only the tokens'
SHA-256, so that neither the page in its browser nor a reader of the pod can use them.
"""

import hashlib
import hmac
from enum import StrEnum


class Scope(StrEnum):
    """What a token's bearer may do."""

    CONTROL = "control"
    """Read the report, ask the bot to leave."""
    READ = "read"
    """Read the report and the transcript."""


def derive(key: bytes, uid: str, attempt: int, scope: Scope) -> str:
    """HMAC-SHA256 of ``uid/attempt/scope`` under the operator's key, in hex (64 characters)."""
    return hmac.new(key, f"{uid}/{attempt}/{scope}".encode(), hashlib.sha256).hexdigest()


def digest(token: str) -> str:
    """SHA-256 of a token in hex: all that the pod is told."""
    return hashlib.sha256(token.encode()).hexdigest()


def matches(token: str, expected_digest: str) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest(digest(token), expected_digest)
