"""Base of everything that users and administrators write: camelCase on the wire, frozen in memory."""

from typing import Any, Final

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


def default_of(model: type[BaseModel], field: str) -> Any:
    """The default of another model's field: what the contract's models say is not repeated here."""
    return model.model_fields[field].get_default(call_default_factory=True)


STORED: Final = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="ignore")
"""Of what the API server stores: its schema has validated it, so newer fields are ignored, not refused."""


class StoredModel(BaseModel):
    """Base of what the API server stores."""

    model_config = ConfigDict(**STORED, frozen=True)


class ConfigModel(BaseModel):
    """Base of what an administrator configures: a field that nobody knows is a typing error."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True)
