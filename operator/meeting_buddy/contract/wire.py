"""How contract documents are spelled on the wire: camelCase JSON, unknown fields ignored, times in UTC with a ``Z``."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, PlainSerializer
from pydantic.alias_generators import to_camel

from meeting_buddy.contract.text import json_text


def _spell_time(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


Timestamp = Annotated[datetime, PlainSerializer(_spell_time, when_used="json")]
"""A moment with a time zone; ``2026-11-23T10:00:41.200Z`` in JSON."""


class ContractModel(BaseModel):
    """Base of what the parts send to each other; frozen, additive: fields it does not know are ignored."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="ignore", frozen=True)

    def to_json(self) -> str:
        """Compact camelCase JSON; a lone surrogate in any text becomes U+FFFD."""
        return json_text(self.model_dump(mode="json", by_alias=True))
