"""Platform tables: what a meeting's page looks like and how a guest joins it, as data.

One YAML file per platform, read and validated by the operator, handed to the bot in its assignment. Verbs are a closed
set; there are no expressions and no scripts. Texts are compared after folding case, white space and typographic quotes.
"""

import hashlib
from enum import StrEnum
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from meeting_buddy.contract.links import Platform
from meeting_buddy.contract.phases import Waiting
from meeting_buddy.contract.reasons import Reason

Css = Annotated[str, Field(min_length=1, max_length=512)]
Text = Annotated[str, Field(min_length=1, max_length=256)]


class TableModel(BaseModel):
    """Base of a table's parts; strict, so that a typing error in a table is found where it is read."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Match(TableModel):
    """One observation of a frame; all fields that are given must hold together."""

    css: Css | None = None
    """At least ``minimum`` visible elements match this selector."""
    text: Text | None = None
    """Visible text of such an element (or of the page, without ``css``) contains this."""
    minimum: int = Field(1, ge=1, le=100)
    enabled: bool | None = None
    """The first such element is (not) disabled."""
    path: Text | None = None
    """``location.pathname`` is exactly this."""
    url: Text | None = None
    """The frame's address contains this."""
    alert: Text | None = None
    """A JavaScript dialog whose text contains this was shown since the last poll."""

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not any((self.css, self.text, self.path, self.url, self.alert)):
            raise ValueError("a match needs css, text, path, url or alert")
        return self


class Condition(TableModel):
    """Holds when all of ``all``, one of ``any`` (if there are any) and none of ``veto`` hold."""

    all: tuple[Match, ...] = ()
    any: tuple[Match, ...] = ()
    veto: tuple[Match, ...] = ()

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.all and not self.any:
            raise ValueError("a condition needs all or any")
        return self


class Verb(StrEnum):
    """What a step does to its target."""

    CLICK = "click"
    TYPE = "type"
    TOGGLE_OFF = "toggle_off"
    PRESS = "press"
    DISMISS = "dismiss"
    OPEN = "open"
    ENTER_FRAME = "enter_frame"


class Step(TableModel):
    """One action of the join loop: at each poll the first step whose ``when`` holds is run."""

    name: str
    when: Condition
    do: Verb
    target: Css | None = None
    value: str | None = None
    """For ``type`` (``{bot_name}`` stands for the bot's name), ``press`` (a key) and ``open`` (a path)."""
    max: int = Field(3, ge=1, le=20)
    source: str | None = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.do is not Verb.OPEN and self.do is not Verb.PRESS and self.target is None:
            raise ValueError(f"step {self.name}: {self.do} needs a target")
        if self.do in (Verb.TYPE, Verb.PRESS, Verb.OPEN) and self.value is None:
            raise ValueError(f"step {self.name}: {self.do} needs a value")
        return self


class State(StrEnum):
    """What a signal says of the page, in the order in which signals are judged."""

    ENDED = "ended"
    REFUSED = "refused"
    LOBBY = "lobby"
    RECONNECTING = "reconnecting"
    IN_CALL = "in_call"
    PRE_JOIN = "pre_join"


class Signal(TableModel):
    """Evidence for a state of the page."""

    state: State
    reason: Reason | None = None
    """Why it ended or was refused."""
    waiting: Waiting | None = None
    """What the bot waits for in the lobby."""
    all: tuple[Match, ...] = ()
    any: tuple[Match, ...] = ()
    veto: tuple[Match, ...] = ()
    hold: float = Field(0.0, ge=0, le=60)
    """Seconds for which it must hold without a break."""
    after_join: bool = False
    """Counts only once the bot has been in the call."""
    source: str | None = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if not self.all and not self.any:
            raise ValueError("a signal needs all or any")
        if self.state in (State.ENDED, State.REFUSED) and self.reason is None:
            raise ValueError(f"a signal for {self.state} needs a reason")
        if self.state is State.IN_CALL and len(self.all) < 2:
            raise ValueError("in_call needs two signs from different regions of the page")
        return self


class People(TableModel):
    """Where the page shows who is there and who speaks."""

    tile: Css
    name: Css
    """Inside the tile."""
    own_tile: Css
    speaking: Css | None = None
    """Matches a tile while its person speaks."""
    screen_share: Css | None = None
    """Matches tiles that show a screen instead of a person."""


class Media(TableModel):
    """Where the page holds remote sound and picture."""

    audio: Css
    video: Css


class Devices(TableModel):
    """Permissions the page is given; a bot has no microphone and no camera."""

    microphone: str = Field("deny", pattern="^(deny|grant)$")
    camera: str = Field("deny", pattern="^(deny|grant)$")


class Opening(TableModel):
    """How a meeting link becomes the first page."""

    add_query: dict[str, str] = {}
    """Query parameters to add where the link has none of that name."""


class Patience(TableModel):
    """Deadlines in seconds that belong to the page, not to the user."""

    load: float = Field(45, gt=0, le=300)
    join: float = Field(90, gt=0, le=600)
    """From the page's first answer to the lobby or the call; time in the lobby does not count."""
    missing: float = Field(60, gt=0, le=300)
    """How long readings of the call may be missing before the meeting counts as over."""


class PlatformTable(TableModel):
    """All that the bot knows of one platform's page."""

    platform: Platform
    checked: str = Field(pattern=r"^\d{4}-\d{2}-\d{2}$")
    """Day on which the facts were last seen on a real page."""
    source: str
    links: Opening = Opening()
    devices: Devices = Devices()
    patience: Patience = Patience()
    steps: tuple[Step, ...]
    signals: tuple[Signal, ...]
    leave: tuple[Step, ...]
    people: People
    media: Media

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if not any(signal.state is State.IN_CALL for signal in self.signals):
            raise ValueError("a table needs an in_call signal")
        names = [step.name for step in (*self.steps, *self.leave)]
        if len(names) != len(set(names)):
            raise ValueError("step names must be unique")
        return self


def table_hash(table: PlatformTable) -> str:
    """First 16 hex digits of the SHA-256 of the table's canonical JSON; in the session's status as ``tableHash``."""
    return hashlib.sha256(table.model_dump_json().encode()).hexdigest()[:16]
