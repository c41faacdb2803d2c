"""What is read and then kept by the thousand, without what it does not need."""

from datetime import datetime
from sys import intern
from types import NoneType
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel

_NO_FIELDS: Final[set[str]] = set()
_PLAIN: Final[frozenset[type]] = frozenset({str, int, float, bool, datetime, NoneType})
"""Types of most values: to ask whether one is a model takes longer."""

Repeated = Annotated[str, AfterValidator(intern)]
"""A text that many objects have in common; it is kept once."""


def forget_given(model: BaseModel) -> None:
    """Forget which fields of a frozen model, and of those in it, were given: ``exclude_unset`` has no meaning then.

    Pydantic keeps their names with each instance, in a set that is larger than most of what is in it. All share one
    from here on; whoever changes a copy copies the set first.
    """
    object.__setattr__(model, "__pydantic_fields_set__", _NO_FIELDS)
    for value in model.__dict__.values():
        for each in value if type(value) in (list, tuple) else (value,):
            if type(each) not in _PLAIN and isinstance(each, BaseModel):
                forget_given(each)
