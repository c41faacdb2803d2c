"""What the administrator configured: one YAML document, mounted into the operator from the chart's ConfigMap."""

from typing import Annotated

from pydantic import Field, model_validator

from meeting_buddy.contract.links import SelfHostedHost
from meeting_buddy.resource.bot_class import BotClass
from meeting_buddy.resource.model import ConfigModel
from meeting_buddy.resource.session import DNS_NAME
from meeting_buddy.resource.syntax import DnsLabel

BotClassName = Annotated[str, Field(pattern=DNS_NAME, max_length=63)]
"""As a session's ``botClassName`` is written."""


class SelfHostedHosts(ConfigModel):
    """All hosts of self-hosted kinds."""

    hosts: tuple[SelfHostedHost, ...] = ()


class Recordings(ConfigModel):
    """Where there are recordings, as far as the chart was told."""

    claims: tuple[DnsLabel, ...] = ()
    """Namespaces in which people record: the claim is there, whoever makes it. Empty: those of :attr:`namespaces`."""
    namespaces: tuple[DnsLabel, ...] = ()
    """Those with a recordings reader, whose key the operator makes."""


class Installation(ConfigModel):
    """The operator's configuration."""

    bot_classes: dict[BotClassName, BotClass]
    self_hosted: SelfHostedHosts = SelfHostedHosts()
    recordings: Recordings = Recordings()

    @model_validator(mode="after")
    def _has_default(self) -> "Installation":
        if "default" not in self.bot_classes:
            raise ValueError("botClasses needs an entry named default")
        return self
