"""How contract documents are spelled on the wire: camelCase JSON, unknown fields ignored, times in UTC with a ``Z``."""

import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import Annotated, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer, WithJsonSchema
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticSerializationError

from meeting_buddy.contract.text import escaped_json, json_text


@lru_cache(maxsize=1024)  # of a status that changes, most moments stay
def _spell_time(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")[: -len("+00:00")] + "Z"


_RFC3339: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)
YEARS: Final = range(1970, 9000)
"""Years that a moment which somebody else chose may be in: what is added to it or taken from it must be a date, too."""


def moment(text: str) -> datetime:
    """Read a moment that a person or a program wrote, as RFC 3339 spells it, with its time zone.

    Raises:
        ValueError: it is none, or so far away that nobody can mean it.
    """
    if _RFC3339.fullmatch(text) is None:
        raise ValueError("a time is spelled as 2026-11-23T10:00:00Z, with its time zone")
    found = datetime.fromisoformat(text.upper())
    if found.year not in YEARS:
        raise ValueError(f"a time is in one of the years {YEARS.start} to {YEARS.stop - 1}")
    return found


def _read_time(value: object) -> object:
    return moment(value) if isinstance(value, str) else value


Timestamp = Annotated[datetime, PlainSerializer(_spell_time, when_used="json")]
"""A moment with a time zone; ``2026-11-23T10:00:41.200Z`` in JSON."""
_PLANNED: Final = (
    r"^(19[7-9]\d|[2-8]\d{3})-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,9})?"
    r"(Z|[+-]([01]\d|2[0-3]):[0-5]\d)$"
)
PlannedTime = Annotated[
    datetime,
    BeforeValidator(_read_time),
    PlainSerializer(_spell_time, when_used="json"),
    WithJsonSchema({"type": "string", "pattern": _PLANNED, "maxLength": 35}),
]
"""A moment that somebody chose: read as :func:`moment` does, written as a :data:`Timestamp`.

The schema is stricter than ``format: date-time``: the API server takes for that what nobody else can read, and a rule
that compares such a value would refuse every later write of the object, the status's too.
"""


class ContractModel(BaseModel):
    """Base of what the parts send to each other; frozen, additive: fields it does not know are ignored."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="ignore", frozen=True)

    def to_json(self) -> str:
        """Compact camelCase JSON; a lone surrogate in any text becomes U+FFFD."""
        try:
            text = self.model_dump_json(by_alias=True)
        except PydanticSerializationError:  # such a surrogate
            return json_text(self.model_dump(mode="json", by_alias=True))
        return escaped_json(text)
