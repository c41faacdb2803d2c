"""Reads the shared corpus of meeting links, ``tests/support/links_corpus.yaml``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from meeting_buddy.contract.links import LINKS, PlatformName, SelfHostedHost, SelfHostedKind
from meeting_buddy.contract.reasons import Reason
from tests.support.platform_tables import platform_table

SELF_HOSTED = (
    SelfHostedHost(platform="LiveKit", host="meet.example.org"),
    SelfHostedHost(platform="LiveKit", host="meet.buddy.test", port=8443),
    SelfHostedHost(platform="Rooms", host="video.example.org"),
)
_ROOMS = {
    "httpName": "rooms",
    "links": [
        {"path": "/b/{any}/{id}"},
        {"path": "/join", "idParameter": "room", "passcodeParameter": "pin"},
    ],
    "publicParameters": ["lang"],
}
KINDS = {"LiveKit": platform_table("livekit").link_rules, "Rooms": SelfHostedKind.model_validate(_ROOMS).rules}
"""What tables say of links: the product's own kind, and one of an administrator's."""
RULES = {**LINKS, **KINDS}


@dataclass(frozen=True, slots=True)
class Case:
    """A link, the platform that the user names with it, and what must come out."""

    link: str
    named: PlatformName | None
    found: PlatformName | None
    """Platform of an accepted link; ``None``: refused."""
    reason: Reason | None
    gate: bool
    """Whether the CRD lets it through."""
    meeting_id: str | None = None
    passcode: str | None = None
    web_address: str = ""
    """Of an accepted link."""
    says: str = ""
    """A part of a refused link's message."""


def cases() -> list[Case]:
    """All of the corpus."""
    corpus = yaml.load(Path(__file__).with_suffix(".yaml").read_bytes(), Loader=yaml.CSafeLoader)
    accepted = [_accepted(platform, row) for platform, rows in corpus["accepted"].items() for row in rows]
    return accepted + [_refused({"link": row} if isinstance(row, str) else row) for row in corpus["refused"]]


def _accepted(platform: PlatformName, row: dict[str, Any]) -> Case:
    link = row["link"]
    held = (row.get("id"), row.get("passcode"), row.get("web", link))
    return Case(link, _named(row), platform, None, row.get("gate", True), *held)


def _refused(row: dict[str, Any]) -> Case:
    reason = Reason(row.get("reason", Reason.LINK_INVALID))
    return Case(row["link"], _named(row), None, reason, row.get("gate", False), says=row.get("says", ""))


def _named(row: dict[str, Any]) -> PlatformName | None:
    return row.get("platform")
