"""Bot classes: where and how bots run, in the administrator's words; a session only names one."""

from fractions import Fraction
from typing import Annotated, Final, Literal

from pydantic import Field, model_validator
from pydantic.alias_generators import to_snake

from meeting_buddy.contract.assignment import MODEL_FOLDER, Assignment, TranscriptionConfig
from meeting_buddy.contract.languages import known_languages
from meeting_buddy.resource.model import ConfigModel, default_of
from meeting_buddy.resource.quantity import Quantity, parse_quantity
from meeting_buddy.resource.scheduling import Affinity, Toleration
from meeting_buddy.resource.syntax import (
    ConfigKey,
    ContainerPath,
    DescendingPath,
    DnsName,
    EnvName,
    HttpUrl,
    ImageReference,
    IpAddress,
    LabelKey,
    LabelValue,
    LanguageCode,
    Text,
)

SECCOMP_PROFILE = "meeting-buddy/chromium.json"
"""File below the kubelet's ``seccomp`` folder."""
USER_ID: Final = 10001
LARGEST_ID: Final = 2**31 - 1
MAX_ANNOTATIONS: Final = 200 * 1024
"""Bytes of a class' annotations; the API server allows 256 KiB a pod, of which some are the operator's own."""
REQUEST_AND_LIMIT: Final = (
    ("cpu", "cpuLimit"),
    ("memory", "memoryLimit"),
    ("ephemeralStorage", "ephemeralStorageLimit"),
)
"""Fields of which the first may not exceed the second. The chart checks the same in ``templates/_checks.tpl``."""

Seconds = Annotated[int, Field(ge=0, le=31_536_000)]


class Resources(ConfigModel):
    """Requests and limits of one whole bot, both containers together."""

    cpu: Quantity = Field(description="CPU request, such as 1500m.")
    cpu_limit: Quantity | None = Field(
        None, description="CPU limit, where a quota or a policy demands one: a throttled recorder drops frames."
    )
    memory: Quantity = Field(description="Memory request, such as 2Gi.")
    memory_limit: Quantity = Field(description="Memory limit, such as 4Gi.")
    ephemeral_storage: Quantity | None = Field(None, description="Request of local disk, such as 1Gi.")
    ephemeral_storage_limit: Quantity | None = Field(None, description="Limit of local disk, such as 4Gi.")
    browser_percent: int | None = Field(
        None, ge=10, le=90, description="How much of each is container browser's, the rest being bot's; two thirds."
    )

    @property
    def browser_share(self) -> Fraction:
        """The browser's part of requests and limits."""
        return Fraction(2, 3) if self.browser_percent is None else Fraction(self.browser_percent, 100)

    @model_validator(mode="after")
    def _requests_within_limits(self) -> "Resources":
        for request, limit in REQUEST_AND_LIMIT:
            asked, allowed = getattr(self, to_snake(request)), getattr(self, to_snake(limit))
            if asked is not None and allowed is not None and parse_quantity(asked) > parse_quantity(allowed):
                raise ValueError(f"{request} ({asked}) is more than {limit} ({allowed})")
        return self


class AudioResources(Resources):
    """Those of a bot that records sound alone."""

    cpu: Quantity = "500m"
    memory: Quantity = "1Gi"
    memory_limit: Quantity = "2560Mi"


class Video720pResources(Resources):
    """Those of a bot that records 720p."""

    cpu: Quantity = "1500m"
    memory: Quantity = "2Gi"
    memory_limit: Quantity = "4Gi"


class Video1080pResources(Resources):
    """Those of a bot that records 1080p."""

    cpu: Quantity = "3"
    memory: Quantity = "4Gi"
    memory_limit: Quantity = "6Gi"


class ProfileResources(ConfigModel):
    """Resources by what is recorded; from field experience, not from a bench."""

    audio: AudioResources = AudioResources()
    video720p: Video720pResources = Field(Video720pResources(), alias="720p")
    video1080p: Video1080pResources = Field(Video1080pResources(), alias="1080p")


class HostAlias(ConfigModel):
    """One line of the pod's hosts file."""

    ip: IpAddress
    hostnames: tuple[DnsName, ...] = Field(min_length=1)


class ExtraCa(ConfigModel):
    """A certificate authority that the browser trusts besides the public ones, in the session's namespace."""

    config_map: DnsName
    key: ConfigKey = "ca.crt"


class SecretEnv(ConfigModel):
    """An environment variable of container ``bot`` from a Secret in the session's namespace; the browser has none."""

    name: EnvName
    secret: DnsName = Field(description="Name of the Secret.")
    key: ConfigKey = Field(description="Key inside the Secret.")


class Storage(ConfigModel):
    """Where recordings go: a claim in the session's namespace, one sub-path a session."""

    claim: DnsName = "meeting-buddy-recordings"
    fs_group: int | None = Field(
        10001, ge=0, le=LARGEST_ID, description="Group of the volume's files; null leaves it to the cluster."
    )


class FinishedPodSeconds(ConfigModel):
    """How long a finished bot's pod stays for its logs, seconds."""

    completed: Seconds = 300
    failed: Seconds = 3600


class Timeouts(ConfigModel):
    """Deadlines of the pod, seconds."""

    startup_timeout_seconds: int = Field(
        600, ge=5, le=86_400, description="From the pod's creation to its containers running."
    )
    grace_seconds: int = Field(
        default_of(Assignment, "grace_seconds"),
        ge=10,
        le=86_400,
        description="Leave, close and verify the files after SIGTERM.",
    )
    finish_seconds: int = Field(
        default_of(Assignment, "finish_seconds"),
        ge=10,
        le=86_400,
        description="Close, join and verify the files after a leave or the end of the meeting.",
    )
    finished_pod_seconds: FinishedPodSeconds = FinishedPodSeconds()
    start_lead_seconds: int = Field(
        60,
        ge=1,
        le=300,
        description="How long before spec.startTime the pod is made, so that the bot is at the door. The session's "
        "limits count from when it joins.",
    )


class FinishedSessionSeconds(ConfigModel):
    """How long a session that has ended stays in Kubernetes, seconds from its end; its files are never deleted."""

    default: Seconds | None = Field(
        None, description="Of a session that does not set spec.ttlSecondsAfterFinished; null: it stays."
    )
    max: Seconds | None = Field(
        None, description="The longest, whatever a session sets, and also where it sets none; null: no bound."
    )

    @model_validator(mode="after")
    def _default_within_max(self) -> "FinishedSessionSeconds":
        if self.default is not None and self.max is not None and self.default > self.max:
            raise ValueError(f"default ({self.default}) is more than max ({self.max})")
        return self


class Security(ConfigModel):
    """Security context of the pod. What is null is absent from the pod, for clusters that set it (OpenShift)."""

    run_as_user: int | None = Field(
        USER_ID, ge=1, le=LARGEST_ID, description="User id of both containers, with group 0; null leaves out both."
    )
    seccomp_profile: Literal["RuntimeDefault"] | None = Field(
        "RuntimeDefault", description="Seccomp profile of the pod; null leaves it out."
    )


class Sandbox(ConfigModel):
    """What Chromium's own sandbox needs from the node."""

    seccomp_profile: DescendingPath | None = Field(
        SECCOMP_PROFILE, description="File below the kubelet's seccomp folder; null leaves it out of container browser."
    )


class Participants(ConfigModel):
    """What becomes of the names of people in the meeting, which are personal data."""

    publish: bool = Field(
        True,
        description="Write names to the session's status, to Events and to the container's log. With false these have "
        "counts alone; files on the volume, and the HTTP API's transcript and recordings, still name people.",
    )


class ServerKey(ConfigModel):
    """A key of a Secret in the session's namespace; the kubelet hands it to container ``bot`` alone."""

    name: DnsName
    key: ConfigKey = "key"


class TranscriptionServer(ConfigModel):
    """A server with OpenAI's ``/v1/audio/transcriptions``, to which the meeting's speech is sent."""

    url: HttpUrl = Field(description="Its base URL, up to and with /v1, such as https://speech.example.com/v1.")
    model: Text = Field(min_length=1, max_length=200, description="Name by which the server knows the model.")
    key_secret: ServerKey | None = Field(
        None, description="Secret in the session's namespace with the server's key; null: it asks for none."
    )


class Transcription(ConfigModel):
    """What turns speech into text: a model in the image, or a server."""

    model: ContainerPath | None = Field(
        str(MODEL_FOLDER),
        description="Folder of a faster-whisper model in the image; null: no transcript, unless there is a server.",
    )
    model_claim: DnsName | None = Field(
        None,
        description="Claim in the session's namespace with a model at the root of its volume, which is mounted there; "
        "null: the image has the model.",
    )
    server: TranscriptionServer | None = Field(None, description="A server to ask instead of that model.")
    languages: tuple[LanguageCode, ...] = Field(
        (),
        description="Codes of the languages that the engine knows, such as [en]: a session in another one is refused "
        "before its pod is made. Empty: what Whisper's naming says of the model's name, or what the bot finds out.",
    )
    log_lines: bool = Field(
        False,
        description="Write each finished line of the transcript to the container's log, where anybody reads it "
        "who may read the pod's log.",
    )
    threads: int = Field(
        default_of(TranscriptionConfig, "threads"), ge=1, le=16, description="Processors that a decoding may use."
    )
    cpu: Quantity = Field(
        "1",
        description="CPU that is added to the bot's request, of which its browser gets its share, and to a limit of "
        "container bot; 100m is enough where a server is asked.",
    )
    memory: Quantity = Field(
        "1Gi",
        description="Memory that is added to request and limit of container bot; 256Mi is enough where a server "
        "is asked.",
    )

    @property
    def engine(self) -> bool:
        """Whether there is one."""
        return self.model is not None or self.server is not None

    @property
    def known_languages(self) -> frozenset[str] | None:
        """Codes of the languages that the engine knows; ``None`` when that is not known here."""
        if self.languages:
            return frozenset(self.languages)
        model = self.server.model if self.server is not None else self.model
        return known_languages(model) if model is not None else None


class BotClass(ConfigModel):
    """One named way to run bots."""

    image: ImageReference = Field(description="Image of both containers, by tag or digest.")
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] = "IfNotPresent"
    image_pull_secrets: tuple[DnsName, ...] = ()
    resources: ProfileResources = ProfileResources()
    node_selector: dict[LabelKey, LabelValue] = {}
    tolerations: tuple[Toleration, ...] = ()
    affinity: Affinity | None = None
    priority_class_name: DnsName | Literal[""] | None = None
    runtime_class_name: DnsName | Literal[""] | None = None
    service_account_name: DnsName | Literal[""] | None = None
    labels: dict[LabelKey, LabelValue] = {}
    annotations: dict[LabelKey, Text] = {}
    env: dict[EnvName, Text] = {}
    secret_env: tuple[SecretEnv, ...] = Field((), description="Environment of container bot from Secrets.")
    host_aliases: tuple[HostAlias, ...] = ()
    extra_ca: ExtraCa | None = None
    storage: Storage = Storage()
    timeouts: Timeouts = Timeouts()
    ttl_seconds_after_finished: FinishedSessionSeconds = FinishedSessionSeconds()
    security: Security = Security()
    sandbox: Sandbox = Sandbox()
    participants: Participants = Participants()
    transcription: Transcription = Transcription()

    @model_validator(mode="after")
    def _env_once(self) -> "BotClass":
        names = [*self.env, *(each.name for each in self.secret_env)]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"env and secretEnv set {', '.join(twice)} more than once")
        return self

    @model_validator(mode="after")
    def _annotations_fit(self) -> "BotClass":
        size = sum(len(key.encode()) + len(value.encode()) for key, value in self.annotations.items())
        if size > MAX_ANNOTATIONS:
            raise ValueError(f"annotations are {size} bytes, more than {MAX_ANNOTATIONS}")
        return self
