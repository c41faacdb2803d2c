"""An administrator's changes to a built-in platform table: merged and validated by the operator, never by the bot.

An override prepends to lists or replaces them, and replaces single fields of the small objects. It names the hash of
the built-in table that it was written for, so that it can be told when an upgrade has changed that table under it.
Hosts and link shapes of the four are in no table (``contract/links``), so nobody can override them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Final, Generic, NamedTuple, Self, TypeVar

from pydantic import BaseModel, Field, ValidationError, field_validator, model_validator

from meeting_buddy.contract.links import PlatformName
from meeting_buddy.contract.locator import ElementName, Locator, TableModel
from meeting_buddy.contract.table import PlatformTable, Signal, Step, table_hash
from meeting_buddy.contract.table_reader import load_table
from meeting_buddy.contract.text import well_formed

MAX_FAULT: Final = 512
Part = TypeVar("Part", bound=TableModel)
_SMALL_OBJECTS: Final = (
    *("url", "devices", "timeouts", "participants", "media", "announcement", "breakout_rooms", "self_hosted"),
)
"""Parts of which an override replaces single fields."""


class ListEdit(TableModel, Generic[Part]):
    """What becomes of one list of the built-in table."""

    prepend: tuple[Part, ...] | None = None
    """Goes before what the list has; a step whose name the list has takes that step's place."""
    replace: tuple[Part, ...] | None = None
    """Is the list from now on."""

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.prepend is None) == (self.replace is None):
            raise ValueError("give either prepend or replace")
        return self


class TableOverride(TableModel):
    """A document that changes parts of a built-in table; what it does not name stays."""

    platform: PlatformName
    table_hash: Annotated[str, Field(pattern="^[0-9a-f]{16}$")]
    """Of the built-in table that it was written for."""
    elements: dict[ElementName, ListEdit[Locator]] = {}
    steps: ListEdit[Step] | None = None
    signals: ListEdit[Signal] | None = None
    leave: ListEdit[Step] | None = None
    url: dict[str, Any] = {}
    devices: dict[str, Any] = {}
    timeouts: dict[str, Any] = {}
    participants: dict[str, Any] = {}
    media: dict[str, Any] = {}
    announcement: dict[str, Any] = {}
    breakout_rooms: dict[str, Any] = {}
    self_hosted: dict[str, Any] = {}

    @field_validator("table_hash", mode="before")
    @classmethod
    def _is_text(cls, given: object) -> object:
        if not isinstance(given, str):
            raise ValueError("is read as a number or nothing: put it in quotes")
        return given


class TableFault(NamedTuple):
    """What is wrong with an administrator's document."""

    field: str
    """Its path, such as ``steps.prepend.0.do``."""
    words: str

    def __str__(self) -> str:
        return well_formed(f"{self.field}: {self.words}")[:MAX_FAULT]


class InvalidOverrideError(ValueError):
    """The document cannot be used; ``fault`` names the field."""

    def __init__(self, fault: TableFault) -> None:
        super().__init__(str(fault))
        self.fault = fault


class OverrideState(StrEnum):
    """What became of an administrator's document."""

    USED = "used"
    STALE = "stale"
    """Used, although it was written for another built-in table."""
    INVALID = "invalid"
    """Not used."""


@dataclass(frozen=True, slots=True)
class ResolvedTable:
    """The table that bots of one platform get."""

    table: PlatformTable | None
    """``None``: the platform has none, for its only document is invalid."""
    state: OverrideState | None = None
    """``None``: the administrator has no document for the platform."""
    fault: TableFault | None = None
    """Why the administrator's document is not used."""


def resolve(document: object, platform: PlatformName, built_in: PlatformTable | None) -> ResolvedTable:
    """The table that follows from an administrator's document; the built-in one if the document cannot be used."""
    try:
        if not isinstance(document, dict):
            raise InvalidOverrideError(TableFault("document", "is not a mapping of fields"))
        if "tableVersion" in document:
            table, stale = _whole(document, platform), False
        else:
            table, stale = _merged(document, platform, built_in)
    except InvalidOverrideError as error:
        return invalid(error.fault, built_in)
    return ResolvedTable(table, OverrideState.STALE if stale else OverrideState.USED)


def invalid(fault: TableFault, built_in: PlatformTable | None) -> ResolvedTable:
    """What follows from a document that cannot be used."""
    return ResolvedTable(built_in, OverrideState.INVALID, fault)


def merge(built_in: PlatformTable, override: TableOverride) -> PlatformTable:
    """The built-in table with the override's changes, validated again as a whole.

    Raises:
        InvalidOverrideError: an override's field has nothing to change, or the merged table is wrong.
    """
    merged = {name: getattr(built_in, name) for name in PlatformTable.model_fields}
    merged["elements"] = _edited_elements(built_in.elements, override.elements)
    merged["steps"] = _edited_steps(built_in.steps, override.steps)
    merged["leave"] = _edited_steps(built_in.leave, override.leave)
    merged["signals"] = _edited(built_in.signals, override.signals)
    for name in _SMALL_OBJECTS:
        merged[name] = _overlaid(getattr(built_in, name), getattr(override, name))
    try:
        return load_table(merged)
    except ValidationError as error:
        raise InvalidOverrideError(_fault(error)) from error


def _whole(document: Mapping[str, Any], platform: PlatformName) -> PlatformTable:
    named = document.get("platform")
    if isinstance(named, str):
        _check_platform(named, platform)
    try:
        return load_table(document)
    except ValidationError as error:
        raise InvalidOverrideError(_fault(error)) from error


def _merged(
    document: Mapping[str, Any], platform: PlatformName, built_in: PlatformTable | None
) -> tuple[PlatformTable, bool]:
    """The merged table, and whether the override was written for another built-in one."""
    if built_in is None:
        raise InvalidOverrideError(TableFault("tableVersion", f"{platform} has no built-in table to override"))
    try:
        override = TableOverride.model_validate(document, extra="forbid")
    except ValidationError as error:
        raise InvalidOverrideError(_fault(error)) from error
    _check_platform(override.platform, platform)
    return merge(built_in, override), override.table_hash != table_hash(built_in)


def _check_platform(found: PlatformName, expected: PlatformName) -> None:
    if found != expected:
        raise InvalidOverrideError(TableFault("platform", f"is {found}, and the file is named after {expected}"))


def _edited_elements(
    elements: Mapping[str, tuple[Locator, ...]], edits: Mapping[str, ListEdit[Locator]]
) -> dict[str, tuple[Locator, ...]]:
    unknown = [name for name, edit in edits.items() if edit.replace is None and name not in elements]
    if unknown:
        words = "the built-in table has no such element; a new one is given by replace"
        raise InvalidOverrideError(TableFault(f"elements.{unknown[0]}", words))
    return {**elements, **{name: _edited(elements.get(name, ()), edit) for name, edit in edits.items()}}


def _edited_steps(steps: tuple[Step, ...], edit: ListEdit[Step] | None) -> tuple[Step, ...]:
    """Steps are known by their names: one of the same name takes the place of the built-in one."""
    if edit is None or edit.prepend is None:
        return _edited(steps, edit)
    names = {step.name for step in steps}
    changed = {step.name: step for step in edit.prepend if step.name in names}
    new = tuple(step for step in edit.prepend if step.name not in names)
    return (*new, *(changed.get(step.name, step) for step in steps))


def _edited(parts: tuple[Part, ...], edit: ListEdit[Part] | None) -> tuple[Part, ...]:
    if edit is None:
        return parts
    if edit.replace is not None:
        return edit.replace
    return (*(edit.prepend or ()), *parts)


def _overlaid(part: BaseModel | None, fields: Mapping[str, Any]) -> dict[str, Any] | None:
    """A part of the built-in table as a document, with the fields that an override gives, by either of their names.

    Of a part that the built-in table does not have, the override gives all.
    """
    if part is None:
        return dict(fields) or None
    names = {name: field.alias or name for name, field in type(part).model_fields.items()}
    return part.model_dump(by_alias=True) | {names.get(key, key): value for key, value in fields.items()}


def _fault(error: ValidationError) -> TableFault:
    """The first thing that is wrong; never a value of the document."""
    [first, *_] = error.errors(include_input=False, include_url=False)
    words = "unknown field" if first["type"] == "extra_forbidden" else first["msg"].removeprefix("Value error, ")
    return TableFault(_path(first["loc"]) or "table", words)


def _path(location: Sequence[int | str]) -> str:
    return ".".join(str(each) for each in location if each != "[key]")
