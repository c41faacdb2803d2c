"""Reads a document that another version wrote: a part that this version cannot read counts as absent."""

from copy import deepcopy
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError

Model = TypeVar("Model", bound=BaseModel)
_AT_A_KEY: Final = "[key]"
"""Pydantic's mark, behind a mapping's key, for an error of the key and not of its value."""


class UnreadableError(ValueError):
    """A part without which a document says nothing cannot be read; the message names it and quotes no value."""


def read_leniently(model: type[Model], document: dict[str, Any], context: object = None) -> tuple[Model, list[str]]:
    """The model, and the parts of ``document`` that were left out of it, as ``spec.limits``.

    ``context`` is for the model's validators.

    Raises:
        UnreadableError: a part that has no default is missing or cannot be read.
    """
    left_out: list[str] = []
    readable = document
    while True:  # ends: each round removes something, and a part that has no default ends it
        try:
            return model.model_validate(readable, context=context), sorted(left_out)
        except ValidationError as error:
            if readable is document:  # a copy only for the few that need one: every event of a watch is read here
                readable = deepcopy(document)
            for path in {_optional_part(each["loc"]) for each in error.errors(include_input=False)}:
                _remove(readable, path)
                left_out.append(".".join(path))


def _optional_part(location: tuple[int | str, ...]) -> tuple[str, ...]:
    """The part to leave out for an error at ``location``: a list goes as a whole, of a mapping the entry."""
    path = []
    for name in location:
        if isinstance(name, int) or name == _AT_A_KEY:
            break
        path.append(name)
    return tuple(path)


def _remove(document: dict[str, Any], path: tuple[str, ...]) -> None:
    holder: Any = document
    for name in path[:-1]:
        holder = holder.get(name) if isinstance(holder, dict) else None
    if not path or not isinstance(holder, dict) or path[-1] not in holder:
        raise UnreadableError(f"without {'.'.join(path) or 'an object'}")
    del holder[path[-1]]
