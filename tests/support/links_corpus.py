"""Reads the shared corpus of meeting links, ``tests/support/links_corpus.yaml``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from meeting_buddy.contract.links import Platform, SelfHostedHost
from meeting_buddy.contract.reasons import Reason

SELF_HOSTED = (
    SelfHostedHost(platform=Platform.LIVEKIT, host="meet.example.org"),
    SelfHostedHost(platform=Platform.LIVEKIT, host="meet.buddy.test", port=8443),
)


@dataclass(frozen=True, slots=True)
class Case:
    """A link, the platform that the user names with it, and what must come out."""

    link: str
    named: Platform | None
    found: Platform | None
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
    corpus = yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text(encoding="utf-8"))
    accepted = [_accepted(Platform(platform), row) for platform, rows in corpus["accepted"].items() for row in rows]
    return accepted + [_refused({"link": row} if isinstance(row, str) else row) for row in corpus["refused"]]


def _accepted(platform: Platform, row: dict[str, Any]) -> Case:
    link = row["link"]
    held = (row.get("id"), row.get("passcode"), row.get("web", link))
    return Case(link, _named(row), platform, None, row.get("gate", True), *held)


def _refused(row: dict[str, Any]) -> Case:
    reason = Reason(row.get("reason", Reason.LINK_INVALID))
    return Case(row["link"], _named(row), None, reason, row.get("gate", False), says=row.get("says", ""))


def _named(row: dict[str, Any]) -> Platform | None:
    return Platform(row["platform"]) if "platform" in row else None
