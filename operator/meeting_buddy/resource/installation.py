"""What the administrator configured: one YAML document, mounted into the operator from the chart's ConfigMap."""

from typing import Annotated

from pydantic import Field, model_validator

from meeting_buddy.contract.links import Platform, SelfHosted
from meeting_buddy.resource.bot_class import BotClass
from meeting_buddy.resource.model import ConfigModel
from meeting_buddy.resource.session import DNS_NAME

BotClassName = Annotated[str, Field(pattern=DNS_NAME, max_length=63)]
"""As a session's ``botClassName`` is written."""


class SelfHostedHost(ConfigModel):
    """A host of the administrator's own that runs a self-hosted kind of platform."""

    platform: Platform = Field(json_schema_extra={"enum": [each.value for each in Platform if each.self_hosted]})
    host: str = Field(pattern=r"^([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z][a-z0-9-]*$", max_length=253)
    port: int = Field(443, ge=1, le=65535)

    @model_validator(mode="after")
    def _kind(self) -> "SelfHostedHost":
        if not self.platform.self_hosted:
            raise ValueError(f"{self.platform} has hosts of its own; list only self-hosted kinds such as LiveKit")
        return self


class SelfHostedHosts(ConfigModel):
    """All hosts of self-hosted kinds."""

    hosts: tuple[SelfHostedHost, ...] = ()


class Installation(ConfigModel):
    """The operator's configuration."""

    bot_classes: dict[BotClassName, BotClass]
    self_hosted: SelfHostedHosts = SelfHostedHosts()

    @model_validator(mode="after")
    def _has_default(self) -> "Installation":
        if "default" not in self.bot_classes:
            raise ValueError("botClasses needs an entry named default")
        return self

    @property
    def allowed_hosts(self) -> tuple[SelfHosted, ...]:
        """The listed hosts, as :func:`meeting_buddy.contract.links.parse_link` wants them."""
        return tuple(SelfHosted(each.platform, each.host, each.port) for each in self.self_hosted.hosts)
