"""Page packs: what the platforms' web clients show, state by state; see the README beside."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

from meeting_buddy.contract.links import Platform
from meeting_buddy.contract.phases import Waiting
from meeting_buddy.contract.reasons import Reason
from meeting_buddy.contract.table import State

FOLDER = Path(__file__).parent

StateName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$")]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PackState(_Part):
    """One state of the pages, and what the bot must make of it."""

    shows: State | None
    """``None``: nothing decisive."""
    reason: Reason | None = None
    waiting: Waiting | None = None
    step: str | None = None
    """Name of the step that the join loop must choose here."""
    after: StateName | None = None
    """The state counts only for a bot that was in this one before."""
    path: str | None = None
    """The address' path when it is not the link's own, such as after a redirect."""
    counts: int | None = None
    """The number of people that the page gives; ``null``: none, whatever other numbers stand there."""
    title: str = "Meeting"
    facts: tuple[str, ...] = ()


class Pack(_Part):
    """The pages of one platform's web client."""

    platform: Platform
    origin: str
    """Where the pages come from, such as ``synthetic, from the fact sheets of 2026-11-23``."""
    hosts: tuple[str, ...]
    link: str
    """With ``{id}`` and ``{passcode}``."""
    ids: str = "81234567{number:03d}"
    """How a meeting's id is made of a number."""
    headers: dict[str, str] = {}
    frames: dict[str, str] = {}
    """Addresses of frames by the name that ``page.js`` gives them; each is drawn by the same ``page.js``."""
    variants: int = Field(1, ge=1)
    states: dict[StateName, PackState]
    start: tuple[StateName, ...]
    """The states before Join, in their order."""
    scenarios: dict[str, tuple[tuple[StateName] | tuple[StateName, float], ...]]
    """What follows Join; seconds that each state stays, without end for the last."""
    left: StateName
    """After somebody pressed Leave."""
    survivors: dict[str, str] = {}
    """Mutations of the table that no page of the pack tells, and why that is so."""

    @model_validator(mode="after")
    def _complete(self) -> Self:
        named = {*self.start, self.left, *(step[0] for steps in self.scenarios.values() for step in steps)}
        named |= {state.after for state in self.states.values() if state.after}
        if unknown := named - set(self.states):
            raise ValueError(f"there are no states {', '.join(sorted(unknown))}")
        return self

    @property
    def synthetic(self) -> bool:
        """Whether somebody wrote the pages."""
        return self.origin.startswith("synthetic")


def names() -> list[str]:
    """Names of the packs that there are."""
    return sorted(path.parent.name for path in FOLDER.glob("*/pack.yaml"))


def load(name: str) -> Pack:
    """The pack of this name.

    Raises:
        ValueError: there is none; the message lists those that there are.
        pydantic.ValidationError: it is wrong.
    """
    path = FOLDER / name / "pack.yaml"
    if not path.is_file():
        raise ValueError(f"there is no pack {name}; there are {', '.join(names())}")
    return Pack.model_validate(yaml.load(path.read_bytes(), Loader=yaml.CSafeLoader))
