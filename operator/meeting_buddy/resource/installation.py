"""What the administrator configured: one YAML document, mounted into the operator from the chart's ConfigMap."""

from pydantic import model_validator

from meeting_buddy.contract.links import SelfHostedHost
from meeting_buddy.resource.bot_class import BotClass
from meeting_buddy.resource.model import ConfigModel


class SelfHostedHosts(ConfigModel):
    """All hosts of self-hosted kinds."""

    hosts: tuple[SelfHostedHost, ...] = ()


class Installation(ConfigModel):
    """The operator's configuration."""

    bot_classes: dict[str, BotClass]
    self_hosted: SelfHostedHosts = SelfHostedHosts()

    @model_validator(mode="after")
    def _has_default(self) -> "Installation":
        if "default" not in self.bot_classes:
            raise ValueError("botClasses needs an entry named default")
        return self
