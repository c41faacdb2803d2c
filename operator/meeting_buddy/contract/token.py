"""Bearer tokens of a bot's report server, and the keys from which they are derived.

The operator derives a token from a key whenever it needs one and stores none; the pod knows only the tokens' SHA-256,
so that neither the page in its browser nor a reader of the pod can use them. Each scope has a key of its own: who holds
the read key alone can listen and never command.
"""

import hashlib
import hmac
from dataclasses import dataclass, field
from enum import StrEnum


class Scope(StrEnum):
    """What a token's bearer may do."""

    CONTROL = "control"
    """Read the report, ask the bot to leave."""
    READ = "read"
    """Read the report and the transcript."""


@dataclass(frozen=True, slots=True)
class BotKeys:
    """The keys of one installation."""

    control: bytes = field(repr=False)
    read: bytes = field(repr=False)
    former: bytes | None = field(default=None, repr=False)
    """The one key that served both scopes before there were two; pods that were made with it are still alive."""

    def of_pod(self, key_fingerprint: str | None) -> "BotKeys":
        """The keys that a pod was made with.

        Args:
            key_fingerprint: its annotation; ``None``: it was made before there was one.
        """
        if self.former is None or key_fingerprint == fingerprint(self.control):
            return self
        if key_fingerprint in (None, fingerprint(self.former)):
            return BotKeys(self.former, self.former)
        return self

    def token(self, uid: str, attempt: int, scope: Scope) -> str:
        """The token of one bot for one scope."""
        return derive(self.control if scope is Scope.CONTROL else self.read, uid, attempt, scope)

    def seal(self, text: str) -> str:
        """HMAC-SHA256 of a text under the control key, in hex: it can be compared, and not be guessed at."""
        return hmac.new(self.control, b"meeting-buddy seal\0" + text.encode(), hashlib.sha256).hexdigest()


def fingerprint(key: bytes) -> str:
    """Tells keys apart and says nothing else about them: it stands in an annotation of each pod."""
    return hashlib.sha256(b"meeting-buddy key fingerprint\0" + key).hexdigest()[:16]


def derive(key: bytes, uid: str, attempt: int, scope: Scope) -> str:
    """HMAC-SHA256 of ``uid/attempt/scope`` under the scope's key, in hex (64 characters)."""
    return hmac.new(key, f"{uid}/{attempt}/{scope}".encode(), hashlib.sha256).hexdigest()


def digest(token: str) -> str:
    """SHA-256 of a token in hex: all that the pod gets."""
    # Bytes of a header that are no UTF-8 come as lone surrogates: they are encoded all the same, and match nothing.
    return hashlib.sha256(token.encode(errors="surrogatepass")).hexdigest()


def matches(token: str, expected_digest: str) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest(digest(token), expected_digest)
