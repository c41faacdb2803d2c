"""What is read and then kept by the thousand, without what it does not need."""

from datetime import datetime
from functools import lru_cache
from sys import intern
from types import NoneType
from typing import Annotated, Any, Final, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator

from meeting_buddy.contract.wire import Timestamp

Model = TypeVar("Model", bound=type[BaseModel])

_NO_FIELDS: Final[set[str]] = set()
_PLAIN: Final[frozenset[type]] = frozenset({str, int, float, bool, datetime, NoneType})
"""Types of most values: to ask whether one is a model takes longer."""
_ALIKE: Final[set[type[BaseModel]]] = set()


# Bounded, because whoever writes a session or a report can make up many.
@lru_cache(maxsize=512)
def _first_part(part: Any) -> Any:
    """The first of parts that are equal, of those that were met lately."""
    return part


@lru_cache(maxsize=256)
def _read_time(text: str) -> Any:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return text  # whoever validates it says what is wrong


def _time_once(value: Any) -> Any:
    return _read_time(value) if isinstance(value, str) else value


Repeated = Annotated[str, AfterValidator(intern)]
"""A text that many objects have in common; it is kept once."""
RepeatedTime = Annotated[Timestamp, BeforeValidator(_time_once)]
"""A moment that is in an object several times; it is kept once."""


def alike(model: Model) -> Model:
    """Declare a part of other models of which many are equal; all that is in it is bounded and can be hashed."""
    _ALIKE.add(model)
    return model


def make_lean(model: BaseModel) -> None:
    """Let a frozen model, and those in it, share with others what is equal.

    That is each part that is declared :func:`alike`, and which fields were given: ``exclude_unset`` has no meaning
    then. Pydantic keeps their names with each instance, in a set that is larger than most of what is in it. All share
    one from here on; whoever changes a copy copies the set first.
    """
    if model.__pydantic_fields_set__ is _NO_FIELDS:  # a part that was kept of an object that was read before
        return
    object.__setattr__(model, "__pydantic_fields_set__", _NO_FIELDS)
    fields = model.__dict__
    for name, value in fields.items():
        if type(value) in _PLAIN:
            continue
        if isinstance(value, BaseModel):
            make_lean(value)
            if type(value) in _ALIKE:
                fields[name] = _first_part(value)
        elif type(value) in (list, tuple):
            for each in value:
                if isinstance(each, BaseModel):
                    make_lean(each)
