"""Platform tables: what a meeting's page looks like and how a guest joins it, as data.

One YAML file per platform, read and validated by the operator, handed to the bot in its assignment. Verbs are a closed
set; there are no expressions and no scripts. Texts are compared after folding case, white space and typographic quotes.
A match looks at every frame of the page; the fields of one match must hold together in one frame.
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
Source = Annotated[str, Field(pattern=r"\d{4}-\d{2}-\d{2}", max_length=512)]
"""Where a fact comes from, with the day on which it was seen: without both, nobody can tell when it went stale."""


class TableModel(BaseModel):
    """Base of a table's parts. Unknown fields are ignored, as everywhere in the contract: a bot reads the table of a
    newer operator. Where a person's own table is loaded, :func:`load_table` refuses them."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class Match(TableModel):
    """One observation of a frame; all fields that are given must hold together."""

    css: Css | None = None
    """At least ``minimum`` visible elements match this selector."""
    text: Text | None = None
    """Visible text of such an element (or of the frame, without ``css``) contains this."""
    minimum: int = Field(1, ge=1, le=100)
    enabled: bool | None = None
    """The first such element is (not) disabled."""
    visible: bool = True
    """``false``: elements that are in the document and not shown count too, such as ``<audio>``."""
    min_width: int = Field(0, ge=0, le=4096)
    min_height: int = Field(0, ge=0, le=4096)
    """Smallest size in CSS pixels of an element that counts; a captcha's frame is there, tiny, on innocent pages."""
    path: Text | None = None
    """``location.pathname`` is exactly this."""
    url: Text | None = None
    """The frame's address contains this."""
    alert: Text | None = None
    """A JavaScript dialog whose text contains this was shown since the page was opened."""
    console: Annotated[tuple[Text, ...], Field(max_length=5)] = ()
    """One line with all of these was written to the console since the page was opened; the properties of an object that
    was logged follow the line's text as ``name=value``."""

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        heard = self.alert or self.console
        seen = any((self.css, self.text, self.path, self.url))
        if not heard and not seen:
            raise ValueError("a match needs css, text, path, url, alert or console")
        if heard and (seen or (self.alert and self.console)):
            raise ValueError("alert and console stand alone in a match: they are heard, not seen in a frame")
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
    source: Source

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
    source: Source

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
    source: Source


class Media(TableModel):
    """Where the page holds remote sound and picture."""

    audio: Css
    """Elements whose clock runs while the page plays sound, be it silence: a dead server does not stop them."""
    video: Css
    """Elements whose count of frames rises while pictures arrive; of people whose camera is on, and no shared screen,
    which may stand still for as long as it likes."""
    source: Source


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
    reconnect: float = Field(120, gt=0, le=600)
    """How long a call that is reconnecting, or that the page gave up, may take to come back."""


class PlatformTable(TableModel):
    """All that the bot knows of one platform's page."""

    platform: Platform
    checked: str = Field(pattern=r"^\d{4}-\d{2}-\d{2}$")
    """Day on which the facts were last seen on a real page."""
    source: Source
    links: Opening = Opening()
    devices: Devices = Devices()
    patience: Patience = Patience()
    steps: Annotated[tuple[Step, ...], Field(max_length=100)]
    signals: Annotated[tuple[Signal, ...], Field(max_length=200)]
    leave: Annotated[tuple[Step, ...], Field(max_length=20)]
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


def load_table(document: object) -> PlatformTable:
    """The table in a document that a person wrote; strict, so that a typing error is found where it was made.

    Raises:
        pydantic.ValidationError: it is wrong, or has a field that a table does not have; the message names the field.
    """
    return PlatformTable.model_validate(document, extra="forbid")


def table_hash(table: PlatformTable) -> str:
    """First 16 hex digits of the SHA-256 of the table's canonical JSON; in the session's status as ``tableHash``."""
    return hashlib.sha256(table.model_dump_json().encode()).hexdigest()[:16]
