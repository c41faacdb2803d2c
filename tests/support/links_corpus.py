"""Reads the shared corpus of meeting links, ``tests/support/links_corpus.yaml``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

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


def cases() -> list[Case]:
    """All of the corpus."""
    corpus = yaml.safe_load((Path(__file__).with_suffix(".yaml")).read_text())
    found = []
    for platform, links in corpus["accepted"].items():
        for entry in links:
            row = entry if isinstance(entry, dict) else {"link": entry}
            named = _platform(row.get("platform"))
            found.append(Case(row["link"], named, Platform(platform), None, row.get("gate", True)))
    for row in corpus["refused"]:
        named = _platform(row.get("platform"))
        found.append(Case(row["link"], named, None, Reason(row["reason"]), row.get("gate", False)))
    return found


def _platform(name: str | None) -> Platform | None:
    return Platform(name) if name else None
