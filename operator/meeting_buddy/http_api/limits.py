"""What one connection may cost. Tests give shorter ones."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Times in seconds, sizes in bytes."""

    head_seconds: float = 10.0
    """From the first byte of a request's head to its last; on a new connection from the connection on, TLS included."""
    body_seconds: float = 30.0
    """From the end of a head to the end of its body."""
    idle_seconds: int = 75
    """Between two requests of a kept connection: more than ingresses' 60, so that they close first."""
    send_seconds: float = 10.0
    """Without progress of what the client should read."""
    graceful_seconds: int = 10
    """For answers under way after the process was told to end; then they are cancelled."""
    head_bytes: int = 40 * 1024
    """Room for a token of 16 KiB and as much again of what proxies add."""
    body_bytes: int = 256 * 1024
    """As it comes, chunk sizes and trailers included; the application itself takes less, and says so better."""
    url_bytes: int = 6 * 1024
    """Path and query."""
    headers: int = 100
    pipelined: int = 4
    """Requests that may wait behind the one being answered."""
    connections: int = 2000
    """All of them, streams too; further ones are answered 503. A connection costs some 20 KB, with TLS more."""
    handshakes: int = 200
    """With TLS, so many more may be open that are in their handshake, or are being refused; further ones are cut."""
