"""Base of everything that users and administrators write: camelCase on the wire, frozen in memory."""

from typing import Any

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


def default_of(model: type[BaseModel], field: str) -> Any:
    """The default of another model's field: what the contract's models say is not repeated here."""
    return model.model_fields[field].get_default(call_default_factory=True)


class StoredModel(BaseModel):
    """Base of what the API server stores: its schema has validated it, so newer fields are ignored, not refused."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="ignore", frozen=True)


class ConfigModel(BaseModel):
    """Base of what an administrator configures: a field that nobody knows is a typing error."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True)
