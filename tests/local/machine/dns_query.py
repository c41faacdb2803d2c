"""One question to a name server at a known address: what the resolver of this machine would not tell."""

from __future__ import annotations

import secrets
import socket
import struct
from dataclasses import dataclass

NO_SUCH_NAME = 3
_SECONDS = 2.0
_HEADER = struct.Struct(">HHHHHH")  # id, flags, and the numbers of questions, answers and two more kinds
_RECORD = struct.Struct(">HHHIH")  # name (a pointer to the question's), type, class, seconds to live, bytes that follow
_WANT_RECURSION = 0x0100
_ADDRESS, _INTERNET = 1, 1


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    code: int
    """0, `NO_SUCH_NAME`, or another of the protocol's codes (RFC 1035, 4.1.1)."""
    addresses: tuple[str, ...]


def ask(name: str, server: str, port: int = 53) -> Answer:
    """The IPv4 addresses of `name` by the server at that address, over UDP. Raises `OSError` when nobody answers."""
    number = secrets.randbits(16)
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    question = labels + b"\0" + struct.pack(">HH", _ADDRESS, _INTERNET)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
        link.settimeout(_SECONDS)
        link.connect((server, port))
        link.send(_HEADER.pack(number, _WANT_RECURSION, 1, 0, 0, 0) + question)
        reply = link.recv(4096)
    found, flags, _, count, _, _ = _HEADER.unpack_from(reply)
    if found != number:
        raise OSError("an answer to another question")
    return Answer(flags & 0xF, _addresses(reply[_HEADER.size + len(question) :], count))


def _addresses(records: bytes, count: int) -> tuple[str, ...]:
    addresses = []
    for _ in range(count):
        _, kind, _, _, length = _RECORD.unpack_from(records)
        content, records = records[_RECORD.size : _RECORD.size + length], records[_RECORD.size + length :]
        if kind == _ADDRESS:
            addresses.append(socket.inet_ntoa(content))
    return tuple(addresses)
