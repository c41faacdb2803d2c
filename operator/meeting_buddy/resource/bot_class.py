"""Bot classes: where and how bots run, in the administrator's words; a session only names one."""

from typing import Any, Literal

from pydantic import Field

from meeting_buddy.contract.assignment import Assignment
from meeting_buddy.resource.model import ConfigModel, default_of

SECCOMP_PROFILE = "meeting-buddy/chromium.json"
"""File below the kubelet's ``seccomp`` folder."""


class Resources(ConfigModel):
    """Requests and limits of one whole bot, both containers together; two thirds go to the browser."""

    cpu: str = Field(description="CPU request, such as 1500m. There is no CPU limit.")
    memory: str = Field(description="Memory request, such as 2Gi.")
    memory_limit: str = Field(description="Memory limit, such as 4Gi.")


class ProfileResources(ConfigModel):
    """Resources by what is recorded; from field experience, not from a bench."""

    audio: Resources = Resources(cpu="500m", memory="1Gi", memory_limit="2560Mi")
    video720p: Resources = Field(Resources(cpu="1500m", memory="2Gi", memory_limit="4Gi"), alias="720p")
    video1080p: Resources = Field(Resources(cpu="3", memory="4Gi", memory_limit="6Gi"), alias="1080p")


class HostAlias(ConfigModel):
    """One line of the pod's hosts file."""

    ip: str
    hostnames: tuple[str, ...] = Field(min_length=1)


class ExtraCa(ConfigModel):
    """A certificate authority that the browser trusts besides the public ones, in the session's namespace."""

    config_map: str
    key: str = "ca.crt"


class Storage(ConfigModel):
    """Where recordings go: a claim in the session's namespace, one sub-path a session."""

    claim: str = "meeting-buddy-recordings"
    fs_group: int = 10001


class FinishedPodSeconds(ConfigModel):
    """How long a finished bot's pod stays for its logs, seconds."""

    completed: int = Field(300, ge=0)
    failed: int = Field(3600, ge=0)


class Timeouts(ConfigModel):
    """Deadlines of the pod, seconds."""

    startup_timeout_seconds: int = Field(600, ge=5, description="From the pod's creation to its containers running.")
    grace_seconds: int = Field(
        default_of(Assignment, "grace_seconds"), ge=10, description="Leave, close and verify the files after SIGTERM."
    )
    finish_seconds: int = Field(
        default_of(Assignment, "finish_seconds"),
        ge=10,
        description="Close, join and verify the files after a leave or the end of the meeting.",
    )
    finished_pod_seconds: FinishedPodSeconds = FinishedPodSeconds()


class Sandbox(ConfigModel):
    """What Chromium's own sandbox needs from the node."""

    seccomp_profile: str = SECCOMP_PROFILE


class Participants(ConfigModel):
    """What becomes of the names of people in the meeting, which are personal data."""

    publish: bool = Field(
        True,
        description="Write names to the session's status and the container's log. "
        "With false they stay on the volume (events.jsonl, session.json); status has the counts.",
    )


class BotClass(ConfigModel):
    """One named way to run bots."""

    image: str = Field(min_length=1, description="Image of both containers, by tag or digest.")
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] = "IfNotPresent"
    image_pull_secrets: tuple[str, ...] = ()
    resources: ProfileResources = ProfileResources()
    node_selector: dict[str, str] = {}
    tolerations: tuple[dict[str, Any], ...] = ()
    affinity: dict[str, Any] = {}
    priority_class_name: str | None = None
    runtime_class_name: str | None = None
    service_account_name: str | None = None
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    env: dict[str, str] = {}
    host_aliases: tuple[HostAlias, ...] = ()
    extra_ca: ExtraCa | None = None
    storage: Storage = Storage()
    timeouts: Timeouts = Timeouts()
    sandbox: Sandbox = Sandbox()
    participants: Participants = Participants()
