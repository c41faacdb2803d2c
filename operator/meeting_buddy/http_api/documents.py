"""What callers send and get: snake_case models. The request is generated from the CRD's model, so it cannot drift."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, Final, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema, create_model
from pydantic.alias_generators import to_snake
from pydantic.fields import FieldInfo

from meeting_buddy.contract import identity
from meeting_buddy.contract.links import LinkError, Platform, PlatformName, SelfHostedHost, SelfHostedKind, parse_link
from meeting_buddy.contract.phases import Phase, http_name
from meeting_buddy.contract.wire import Timestamp
from meeting_buddy.resource.model import StoredModel
from meeting_buddy.resource.session import MeetingSession, MeetingSessionSpec, MeetingSessionStatus

SESSIONS: Final = "/v1/meeting-buddy/sessions"
"""Path of the sessions."""
STATUSES: Final[dict[str, Phase]] = {http_name(phase): phase for phase in Phase}
"""``status`` as the API spells it."""
MAX_HISTORY: Final = 100
_FLAT: Final = "transcription"
"""The part of the spec whose fields stand at the top, as ``transcription_language``."""
_COMMANDS: Final = frozenset({"leave"})
"""Fields of the spec that are operations here."""
EXAMPLE: Final[dict[str, Any]] = {
    "meeting_link": "https://teams.microsoft.com/l/meetup-join/abc123",
    "bot_name": "Meeting Buddy",
    "transcription_enabled": True,
    "transcription_language": "en",
}


@dataclass(frozen=True, slots=True)
class Platforms:
    """Which platforms this installation knows, by both spellings."""

    hosts: tuple[SelfHostedHost, ...] = ()
    kinds: Mapping[PlatformName, SelfHostedKind] = field(default_factory=dict)

    def http(self, platform: PlatformName) -> str:
        """``LiveKit`` → ``livekit``."""
        kind = self.kinds.get(platform)
        return kind.http_name if kind is not None else http_name(platform)

    def names(self) -> dict[str, PlatformName]:
        """The CR's names by the API's."""
        return {self.http(each): str(each) for each in (*Platform, *self.kinds)}

    def check(self, link: str, platform: PlatformName | None) -> PlatformName:
        """The platform of a link.

        Raises:
            LinkError: no bot may open it.
        """
        rules = {name: kind.rules for name, kind in self.kinds.items()}
        return str(parse_link(link, platform, self.hosts, rules).platform)

    def of(self, session: MeetingSession) -> PlatformName | None:
        """The platform of a session; told from its link until the operator has looked at it."""
        found = session.status.platform or session.spec.platform
        if found is None and session.spec.meeting_link is not None:
            try:
                return self.check(session.spec.meeting_link, None)
            except LinkError:
                return None
        return found


# Requests


class _Request(BaseModel):
    """Base of what callers send: nothing unknown, and no guessing of types."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def _request_fields(model: type[BaseModel], prefix: str = "") -> dict[str, Any]:
    """The fields of a model as :func:`pydantic.create_model` takes them, nested models made requests, too."""
    found: dict[str, Any] = {}
    for name, info in model.model_fields.items():
        if model is MeetingSessionSpec and name in _COMMANDS:
            continue
        inner = info.annotation
        if name == _FLAT and model is MeetingSessionSpec and isinstance(inner, type) and issubclass(inner, BaseModel):
            found |= _request_fields(inner, f"{name}_")
            continue
        found[prefix + name] = (_annotation(info), _default(info))
    return found


def _annotation(info: FieldInfo) -> Any:
    request = _as_request(info.annotation)
    return Annotated[(request, *info.metadata)] if info.metadata else request


def _as_request(annotation: Any) -> Any:
    """An annotation with nested models replaced, and tuples as lists: JSON has no others."""
    origin, inside = get_origin(annotation), get_args(annotation)
    if origin in (Union, UnionType):
        return Union[tuple(_as_request(each) for each in inside)]  # noqa: UP007 -- of computed members
    if origin is tuple:
        return list[inside[0]]  # type: ignore[valid-type]
    if isinstance(annotation, type) and issubclass(annotation, StoredModel):
        name = annotation.__name__.removesuffix("Spec") + "Request"
        return create_model(name, __base__=_Request, __doc__=annotation.__doc__, **_request_fields(annotation))
    return annotation


def _default(info: FieldInfo) -> Any:
    words = _in_http_names(info.description or "") or None
    if info.is_required():
        return Field(description=words)
    if isinstance(info.default, BaseModel):
        return Field(default_factory=_as_request(type(info.default)), description=words)
    default = list(info.default) if isinstance(info.default, tuple) else info.default
    return Field(default, description=words)


def http_field(path: str) -> str:
    """A field of the CR as this API calls it: ``spec.transcription.language`` → ``transcription_language``."""
    names = path.removeprefix("spec.").replace("[", ".").replace("]", "").split(".")
    if names[0] == "metadata":
        return ".".join(names)
    spelled = [to_snake(each) for each in names if each]
    if spelled[:1] == [_FLAT] and len(spelled) > 1:
        spelled[:2] = [f"{_FLAT}_{spelled[1]}"]
    return ".".join(spelled) or "spec"


_CAMEL: Final = re.compile(r"\b(?:spec\.)?[a-z]+(?:[A-Z][a-z]+)+(?:\.\w+)*\b|\bspec(?:\.\w+)+")


def _in_http_names(text: str) -> str:
    """A text about the CR with its fields as this API calls them."""
    return _CAMEL.sub(lambda found: http_field(found[0]), text)


def platform_names_described() -> str:
    """What ``platform`` may be."""
    return "teams, zoom, google_meet, webex, or a self-hosted kind of this installation such as livekit."


def _session_request() -> type[BaseModel]:
    fields = _request_fields(MeetingSessionSpec)
    fields["platform"] = (
        str | None,
        Field(
            None,
            max_length=32,
            description=f"{platform_names_described()} Needed for a self-hosted kind and with "
            "meeting_link_secret_ref; else the link decides.",
        ),
    )
    made: type[BaseModel] = create_model(
        "SessionRequest",
        __base__=_Request,
        __doc__="Which meeting to attend and what to keep. meeting_link is needed, or meeting_link_secret_ref.",
        **fields,
    )
    made.model_config["json_schema_extra"] = {"examples": [EXAMPLE]}
    made.model_rebuild(force=True)
    return made


if TYPE_CHECKING:
    SessionRequest = BaseModel
else:
    SessionRequest = _session_request()


def spec_of(request: BaseModel) -> dict[str, Any]:
    """The CR's spec, without ``platform``: what the caller said and nothing else, so that defaults are the CRD's."""
    said = request.model_dump(mode="json", exclude_unset=True)
    said.pop("platform", None)
    flat = {name: said.pop(name) for name in list(said) if name.startswith(f"{_FLAT}_")}
    if flat:
        said[_FLAT] = {name.removeprefix(f"{_FLAT}_"): value for name, value in flat.items()}
    return _camel(MeetingSessionSpec, said)


def _camel(model: type[BaseModel], values: Mapping[str, Any]) -> dict[str, Any]:
    found = {}
    for name, value in values.items():
        if value is None:  # as if it had not been said
            continue
        info = model.model_fields[name]
        nested = [each for each in (info.annotation, *get_args(info.annotation)) if _is_model(each)]
        found[info.alias or name] = _camel(nested[0], value) if nested and isinstance(value, dict) else value
    return found


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


# Answers

_Moment = Annotated[Timestamp, WithJsonSchema({"type": "string", "format": "date-time"})]


class Present(BaseModel):
    """Somebody in the meeting."""

    name: str
    joined_at: _Moment | None


class CurrentParticipants(BaseModel):
    """Who is in the meeting now; at most 50 are named."""

    count: int
    participants: list[Present]


class ParticipantEvent(BaseModel):
    """Somebody came or went."""

    name: str
    event: str = Field(json_schema_extra={"enum": ["joined", "left"]})
    at: _Moment


class SessionObject(BaseModel):
    """A session. Every field is there; what is not known (yet) is null."""

    session_id: str = Field(json_schema_extra={"pattern": "^mbsess_[0-9a-f]{32}$"})
    organization_id: str = Field(description="Namespace.")
    user_id: str | None = Field(description="Kubernetes user who created it through this API.")
    meeting_link: str | None = Field(description="Null where it is in a Secret.")
    platform: str | None = Field(description=platform_names_described())
    bot_name: str
    start_time: _Moment | None = Field(description="When the meeting starts; null: at once.")
    end_time: _Moment | None = Field(description="When the bot leaves at the latest.")
    status: str = Field(json_schema_extra={"enum": list(STATUSES)})
    transcription_enabled: bool
    transcription_language: str
    debug_mode: bool
    created_at: _Moment | None
    updated_at: _Moment | None = Field(description="When the state last changed.")
    join_timestamp: _Moment | None
    leave_timestamp: _Moment | None
    total_duration_seconds: int | None
    segment_count: int | None
    audio_file_count: int | None
    video_file_count: int | None
    total_size_bytes: int | None
    output_directory: str | None
    error_message: str | None = Field(description="Why it failed, with advice.")
    error_code: str | None = Field(description="Why it failed, in one word such as not_admitted. Open-ended.")
    metadata: dict[str, str]
    current_participants: CurrentParticipants | None
    participant_history: list[ParticipantEvent] | None = Field(description="The latest last, at most 100.")


class SessionList(BaseModel):
    """One page of sessions, in the order of their names in Kubernetes, which is not that of their ages."""

    sessions: list[SessionObject]
    next_cursor: str | None = Field(description="Pass it as cursor for the next page; null: this was the last one.")


def session_object(session: MeetingSession, platforms: Platforms, *, created_by_is_guarded: bool) -> SessionObject:
    """A MeetingSession as the API shows it.

    Args:
        session: as the API server has it.
        platforms: for the platform's name.
        created_by_is_guarded: whether an admission policy keeps callers from claiming another's name.
    """
    meta, spec, status = session.metadata, session.spec, session.status
    failed = status.phase is Phase.FAILED
    platform = platforms.of(session)
    return SessionObject(
        session_id=identity.session_id(meta.uid),
        organization_id=meta.namespace,
        user_id=meta.annotations.get(identity.ANNOTATION_CREATED_BY) if created_by_is_guarded else None,
        meeting_link=spec.meeting_link,
        platform=platform and platforms.http(platform),
        bot_name=spec.bot_name,
        start_time=spec.start_time,
        end_time=spec.end_time,
        status=http_name(status.phase or Phase.INITIALIZING),
        transcription_enabled=spec.transcription.enabled,
        transcription_language=spec.transcription.language,
        debug_mode=spec.debug_mode,
        created_at=meta.creation_timestamp,
        updated_at=_updated_at(session),
        join_timestamp=status.join_timestamp,
        leave_timestamp=status.leave_timestamp,
        total_duration_seconds=status.total_duration_seconds,
        segment_count=status.segment_count,
        audio_file_count=status.audio_file_count,
        video_file_count=status.video_file_count,
        total_size_bytes=status.total_size_bytes,
        output_directory=status.output_directory,
        error_message=status.message if failed else None,
        error_code=http_name(status.reason) if failed and status.reason else None,
        metadata=spec.metadata,
        current_participants=_current(status),
        participant_history=_history(status),
    )


def _updated_at(session: MeetingSession) -> datetime | None:
    changed = [each.last_transition_time for each in session.status.conditions or ()]
    known = [each for each in (session.metadata.creation_timestamp, *changed) if each is not None]
    return max(known, default=None)


def _current(status: MeetingSessionStatus) -> CurrentParticipants | None:
    if status.current_participants is None and status.participant_count is None:
        return None
    named = [Present(name=each.name, joined_at=each.joined_at) for each in status.current_participants or ()]
    count = len(named) if status.participant_count is None else status.participant_count
    return CurrentParticipants(count=count, participants=named)


def _history(status: MeetingSessionStatus) -> list[ParticipantEvent] | None:
    if status.participant_history is None and status.current_participants is None:
        return None
    people = [*(status.participant_history or ()), *(status.current_participants or ())]
    moments = [
        ParticipantEvent(name=each.name, event=event, at=at)
        for each in people
        for event, at in (("joined", each.joined_at), ("left", getattr(each, "left_at", None)))
        if at is not None
    ]
    return sorted(moments, key=lambda each: each.at)[-MAX_HISTORY:]
