"""Reads platform tables: strictly where a person wrote one, leniently where a newer operator sent one."""

from collections.abc import Callable
from typing import Any

from pydantic import BaseModel, ValidationError

from meeting_buddy.contract.locator import Locator
from meeting_buddy.contract.table import PlatformTable, Signal, Step


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

    A signal or step in which anything is unknown would mean something else without it, so it is left out whole; so is
    one way of finding an element, and with the last one all that needs the element.

    Raises:
        UnusableTableError: without these parts, the table knows no way to join or no sign of the call.
    """
    left_out: list[str] = []

    def readable(model: type[BaseModel], what: str) -> Callable[[Any], bool]:
        def judge(part: Any) -> bool:
            try:
                model.model_validate(part, extra="forbid")
            except ValidationError:
                left_out.append(f"{what} {_name_of(part)}")
                return False
            return True

        return judge

    elements = {
        name: list(filter(readable(Locator, f"element {name}:"), alternatives))
        for name, alternatives in document.get("elements", {}).items()
    }
    steps, leave, signals = (
        list(filter(readable(model, what), document.get(part, ())))
        for part, model, what in (("steps", Step, "step"), ("leave", Step, "step"), ("signals", Signal, "signal"))
    )
    while lost := {name for name, alternatives in elements.items() if not alternatives}:
        elements = {
            name: [locator for locator in alternatives if locator.get("within") not in lost]
            for name, alternatives in elements.items()
            if name not in lost
        }
        for parts in (steps, leave, signals):
            for part in [part for part in parts if _needs(part) & lost]:
                parts.remove(part)
                left_out.append(_name_of(part))
    if document.get("steps") and not steps:
        without = ", ".join(left_out)
        raise UnusableTableError(f"this bot knows no way to join by the platform's table; left out: {without}")
    whole = {**document, "elements": elements, "steps": steps, "leave": leave, "signals": signals}
    try:
        return PlatformTable.model_validate(whole), left_out
    except ValidationError as error:
        [first, *_] = error.errors(include_input=False, include_url=False)
        place = ".".join(map(str, first["loc"])) or "it"
        raise UnusableTableError(f"this bot cannot use the platform's table: {place}: {first['msg']}") from error


def _name_of(part: Any) -> str:
    """What stands for a part in a message: a step's name, a signal's state and reason."""
    if not isinstance(part, dict):
        return "?"
    words = (part.get(key) for key in ("name", "state", "reason", "waiting", "css", "text"))
    return "/".join(str(word)[:64] for word in words if word) or "?"


def _needs(part: dict[str, Any]) -> set[str]:
    """Names of the elements that a readable step or signal refers to."""
    condition = part.get("when", {}) if "do" in part else part
    matches = [match for key in ("all", "any", "none") for match in condition.get(key, ())]
    names = {match if isinstance(match, str) else match.get("element") for match in matches}
    return {str(name) for name in (*names, part.get("target")) if name is not None}
