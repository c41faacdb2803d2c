"""What is known of the meeting platforms' pages, one fact at a time: see the README beside this file."""

from __future__ import annotations

import datetime
import functools
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Literal, Self

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

Kind = Literal["css", "text", "name", "url", "title", "attribute", "code", "rule"]
"""Where a fact is looked for: the field of the same name holds its value."""

Trust = Literal["live", "ran", "code", "table", "old", "guess", "contradicted"]
"""How far a fact can be believed."""

KINDS: tuple[Kind, ...] = ("css", "text", "name", "url", "title", "attribute", "code", "rule")

AREAS = frozenset(
    [
        "alone",
        "blocked",
        "botwall",
        "breakout",
        "browser",
        "captcha",
        "captions",
        "chat",
        "connecting",
        "cookies",
        "decoy",
        "denied",
        "dialog",
        "e2ee",
        "ended",
        "failed",
        "frame",
        "full",
        "hostbusy",
        "identity",
        "incall",
        "launch",
        "layout",
        "leave",
        "links",
        "lobby",
        "lobbytimeout",
        "locked",
        "media",
        "notfound",
        "notice",
        "notstarted",
        "order",
        "passcode",
        "people",
        "permission",
        "policy",
        "prejoin",
        "reconnecting",
        "recording",
        "registration",
        "removed",
        "shadow",
        "signin",
        "speaking",
        "terms",
        "unmute",
    ]
)
"""The second part of an id: a state of the page, or what a fact is about."""

NO_SOURCE = "sheet"
"""The source of a fact for which the fact sheets name none."""

SHEET_DATE = "2026-11-23"
"""The day of the fact sheets: the date of what has no source, or one without a date."""

SOURCES: Mapping[str, str] = MappingProxyType(
    {
        "AT": "2026-08-19",
        "VX": "2026-08-21",
        "SA": "2026-06-18",
        "MB": "2025-06-11",
        "MT": "2025-08-07",
        "JO": "2026-03-11",
        "LMA": "2026-08-17",
        "ED": "2026-06-29",
        "RX": "2026-07-19",
        "MCR": "2026",
        "TG": "2026",
        "AI": "2026",
        "PW": "2023",
        "CB": "2025",
        "NOU": "2026",
        "RC": "2026",
        "MDV": "2026",
        "ZM": "2026-08-24",
        "WP": "2026-04-08",
        "WM": "2026-04-08",
        "WC": "2026-04-08",
        "MD": "2026-05-13",
        "AC": "2026-08-23",
        "FL": "2026-10-22",
        "GM": "2026-05-04",
    }
)
"""Date of the version that was read, per tag; a year or a month where no day is known."""

MB_ISSUES_DATE = "2026-09"
"""The issues of MB are newer than its code: they were read up to this month."""

_HERE = Path(__file__).resolve().parent
_ISSUE = re.compile(r"([A-Z]+)#\d+")
FILES: tuple[str, ...] = ("teams", "zoom", "google_meet", "webex")
"""Names of the fact files, which begin the ids of their facts."""


def source_date(source: str) -> str:
    """The date of one source: a tag, an issue of a tag's project, or something outside the tables of sources."""
    issue = _ISSUE.fullmatch(source)
    tag = issue[1] if issue else source
    if issue and tag == "MB":
        return MB_ISSUES_DATE
    return SOURCES.get(tag, SHEET_DATE)


def _date_text(value: object) -> object:
    """The text of a date, where YAML has made a date of it."""
    return value.isoformat() if isinstance(value, datetime.date) else value


class Fact(BaseModel):
    """One selector, text, URL shape, attribute, code or rule, and what it means."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    id: Annotated[str, Field(pattern=r"^[a-z_]+\.[a-z0-9]+\.[a-z0-9]+(-[a-z0-9]+)*$")]
    css: str | None = None
    text: str | None = None
    name: str | None = None
    role: str | None = None
    url: str | None = None
    title: str | None = None
    attribute: str | None = None
    code: str | None = None
    rule: str | None = None
    says: Annotated[str, Field(min_length=1)]
    source: Annotated[str, Field(min_length=1)]
    date: Annotated[str, BeforeValidator(_date_text), Field(pattern=r"^\d{4}(-\d\d(-\d\d)?)?$")]
    trust: Trust
    unused: Annotated[str, Field(min_length=1)] | None = None
    again: Annotated[str, Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        """A fact has one value, and a role only beside an accessible name."""
        given = [kind for kind in KINDS if getattr(self, kind) is not None]
        if len(given) != 1:
            raise ValueError(f"{self.id} needs exactly one of {', '.join(KINDS)}; it has {', '.join(given) or 'none'}")
        if not self.value.strip():
            raise ValueError(f"{self.id} has an empty value")
        if self.role is not None and self.name is None:
            raise ValueError(f"{self.id} has a role without a name")
        if self.area not in AREAS:
            raise ValueError(f"{self.id} has an unknown area")
        return self

    @property
    def kind(self) -> Kind:
        """Where the fact is looked for."""
        return next(kind for kind in KINDS if getattr(self, kind) is not None)

    @property
    def value(self) -> str:
        """The selector, the text, the URL shape and so on, exactly as the source has it."""
        return str(getattr(self, self.kind))

    @property
    def file(self) -> str:
        """The name of the fact's file."""
        return self.id.split(".")[0]

    @property
    def area(self) -> str:
        """What the fact is about."""
        return self.id.split(".")[1]

    @property
    def sources(self) -> tuple[str, ...]:
        """The fact's sources, one by one."""
        return tuple(source.strip() for source in self.source.split(","))

    @property
    def decoy(self) -> bool:
        """Whether the fact is on the page without meaning what it seems to: no table may decide by it alone."""
        return self.trust == "contradicted" or self.area == "decoy"


class Facts(BaseModel):
    """All facts of one platform."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    platform: Literal["Teams", "Zoom", "GoogleMeet", "Webex"]
    facts: list[Fact]

    @functools.cached_property
    def by_id(self) -> Mapping[str, Fact]:
        """The facts by their ids."""
        return {fact.id: fact for fact in self.facts}

    def __getitem__(self, fact_id: str) -> Fact:
        """The fact of this id; a KeyError names one that does not exist."""
        return self.by_id[fact_id]

    def area(self, area: str) -> list[Fact]:
        """The facts of one area, in the order of the file."""
        return [fact for fact in self.facts if fact.area == area]


@functools.cache
def load(platform: str) -> Facts:
    """The facts of a platform, by its name (GoogleMeet) or by the name of its file (google_meet)."""
    file = next((file for file in FILES if file.replace("_", "") == platform.replace("_", "").lower()), None)
    if file is None:
        raise KeyError(f"no facts of {platform}; there are {', '.join(FILES)}")
    return Facts.model_validate(yaml.load((_HERE / f"{file}.yaml").read_bytes(), Loader=yaml.CSafeLoader))


def all_facts() -> Iterator[Fact]:
    """Every fact of every platform."""
    for file in FILES:
        yield from load(file).facts
