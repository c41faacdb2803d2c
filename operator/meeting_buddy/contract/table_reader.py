"""Reads platform tables: strictly where a person wrote one, leniently where a newer operator sent one."""

from typing import Any, Final

from pydantic import BaseModel, ValidationError

from meeting_buddy.contract.links import is_self_hosted
from meeting_buddy.contract.locator import Locator
from meeting_buddy.contract.table import Announcement, Condition, PlatformTable, Signal, Step

_ANY_LINK: Final = {"httpName": "self_hosted", "links": [{"path": "/{id}"}, {"path": "/{any}/{id}"}]}
"""Links of a self-hosted kind whose operator is of a version that did not send them; it has judged the link itself."""

_LISTS: Final[dict[str, tuple[type[BaseModel], str]]] = {
    "steps": (Step, "step"),
    "leave": (Step, "step"),
    "signals": (Signal, "signal"),
}
_SINGLE: Final[dict[str, type[BaseModel]]] = {"announcement": Announcement, "breakoutRooms": Condition}
"""Parts that a table can do without."""


class UnusableTableError(ValueError):
    """A table by which nobody can join a meeting; the message says what is missing."""


def load_table(document: object) -> PlatformTable:
    """The table in a document that a person wrote; strict, so that a typing error is found where it was made.

    Raises:
        pydantic.ValidationError: it is wrong, or has a field that a table does not have; the message names the field.
    """
    return PlatformTable.model_validate(document, extra="forbid")


def read_table(document: dict[str, Any]) -> tuple[PlatformTable, list[str]]:
    """The table in a document of another version, and the names of what was left out of it.

    A signal, step, announcement or condition in which anything is unknown would mean something else without it, so it
    is left out whole; so is one way of finding an element, and with the last one all that needs the element.

    Raises:
        UnusableTableError: without these parts, the table knows no way to join or no sign of the call.
    """
    left_out: list[str] = []
    elements = {
        name: [each for each in locators if _readable(Locator, each, f"element {name}:", left_out)]
        for name, locators in document.get("elements", {}).items()
    }
    lists = {
        part: [each for each in document.get(part, ()) if _readable(model, each, what, left_out)]
        for part, (model, what) in _LISTS.items()
    }
    single = {
        part: document[part]
        for part, model in _SINGLE.items()
        if document.get(part) is not None and _readable(model, document[part], part, left_out)
    }
    while lost := {name for name, locators in elements.items() if not locators}:
        elements = {
            name: [each for each in locators if each.get("within") not in lost]
            for name, locators in elements.items()
            if name not in lost
        }
        for parts in lists.values():
            for each in [each for each in parts if _needs(each) & lost]:
                parts.remove(each)
                left_out.append(_name_of(each))
        for part in [part for part, each in single.items() if _needs(each) & lost]:
            del single[part]
            left_out.append(part)
    if document.get("steps") and not lists["steps"]:
        without = ", ".join(left_out)
        raise UnusableTableError(f"this bot knows no way to join by the platform's table; left out: {without}")
    if is_self_hosted(str(document.get("platform"))):
        document = {"selfHosted": _ANY_LINK, **document}
    readable = {**document, **dict.fromkeys(_SINGLE), **single, **lists, "elements": elements}
    try:
        return PlatformTable.model_validate(readable), left_out
    except ValidationError as error:
        [first, *_] = error.errors(include_input=False, include_url=False)
        place = ".".join(map(str, first["loc"])) or "it"
        raise UnusableTableError(f"this bot cannot use the platform's table: {place}: {first['msg']}") from error


def _readable(model: type[BaseModel], part: Any, what: str, left_out: list[str]) -> bool:
    """Whether a part holds nothing that is unknown here; the name of one that does goes to ``left_out``."""
    try:
        model.model_validate(part, extra="forbid")
    except ValidationError:
        left_out.append(f"{what} {_name_of(part)}".removesuffix(" ?"))
        return False
    return True


def _name_of(part: Any) -> str:
    """What stands for a part in a message: a step's name, a signal's state and reason."""
    if not isinstance(part, dict):
        return "?"
    words = (part.get(key) for key in ("name", "state", "reason", "waiting", "css", "text"))
    return "/".join(str(word)[:64] for word in words if word) or "?"


def _needs(part: dict[str, Any]) -> set[str]:
    """Names of the elements that a readable step, signal, condition or announcement refers to."""
    if "sends" in part:
        return set().union(*map(_needs, part["steps"]))
    condition = part.get("when", {}) if "do" in part else part
    matches = [match for key in ("all", "any", "none") for match in condition.get(key, ())]
    names = {match if isinstance(match, str) else match.get("element") for match in matches}
    return {str(name) for name in (*names, part.get("target")) if name is not None}
