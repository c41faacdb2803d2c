"""Whether a session gets a bot at all: validated again here, after the CRD's earlier and never stricter gates."""

from dataclasses import dataclass
from typing import Final

from meeting_buddy.contract.languages import whisper_code
from meeting_buddy.contract.links import LinkError, PlatformName, is_self_hosted, parse_link
from meeting_buddy.contract.reasons import Reason
from meeting_buddy.domain.facts import InstallationFacts, SessionFacts
from meeting_buddy.resource.bot_class import Transcription
from meeting_buddy.resource.session import MeetingSessionSpec

_MAX_LISTED: Final = 8
"""Languages that a message lists."""
_OTHER_LANGUAGE: Final = (
    "Create a new session in another language, with another bot class, or with spec.transcription.enabled: false."
)


@dataclass(frozen=True, slots=True)
class AdmissionResult:
    """Either a platform to join on, or the reason why not and a message fit for the status."""

    platform: PlatformName | None
    reason: Reason | None = None
    message: str = ""
    remedy: str | None = None
    """What helps; ``None``: the reason's own advice says it best."""
    may_pass: bool = False
    """Whether it is the installation that lacks something: an administrator's change may fix it."""


def validate(session: SessionFacts, installation: InstallationFacts) -> AdmissionResult:
    """Validate link, platform, bot class and language; the message names the field and never quotes the link.

    A link in a Secret is validated by the bot: the operator does not read Secrets.
    """
    spec = session.spec
    unreadable = ", ".join(field for field in session.unreadable if field.startswith("spec."))
    if unreadable:
        remedy = "apply the CRD that came with it and correct the session"
        return AdmissionResult(
            spec.platform, Reason.CONFIG_INVALID, f"this operator cannot read {unreadable}: {remedy}"
        )
    if spec.meeting_link is None:
        platform = spec.platform
    else:
        try:
            platform = parse_link(
                spec.meeting_link, spec.platform, installation.self_hosted, installation.kinds
            ).platform
        except LinkError as error:
            if error.reason is Reason.PLATFORM_NOT_AVAILABLE:
                return _not_available(spec.platform, installation)
            unlisted = error.reason is Reason.HOST_NOT_ALLOWED
            may_be_listed = unlisted and spec.platform is not None and is_self_hosted(spec.platform)
            return AdmissionResult(spec.platform, error.reason, f"spec.meetingLink: {error}", may_pass=may_be_listed)
    if platform is None:
        return AdmissionResult(
            None, Reason.LINK_INVALID, "spec.platform must be set together with spec.meetingLinkSecretRef"
        )
    if platform not in installation.tables:
        return _not_available(platform, installation)
    if installation.bot_class is None:
        missing = f"bot class {spec.bot_class_name!r} does not exist"
        return AdmissionResult(platform, Reason.CONFIG_INVALID, missing, may_pass=True)
    unknown_language = _unknown_language(spec, installation.bot_class.transcription)
    if unknown_language is not None:
        return AdmissionResult(platform, Reason.CONFIG_INVALID, unknown_language, _OTHER_LANGUAGE, may_pass=True)
    return AdmissionResult(platform)


def _unknown_language(spec: MeetingSessionSpec, transcription: Transcription) -> str | None:
    """What is wrong with the session's language, if the class's engine is known not to know it."""
    wanted, known = spec.transcription, transcription.known_languages
    if not wanted.enabled or not transcription.engine or known is None:
        return None
    code = whisper_code(wanted.language)
    if code is None or code in known:
        return None
    listed = ", ".join(sorted(known)) if len(known) <= _MAX_LISTED else f"{len(known)} others"
    return (
        f"the transcription engine of bot class {spec.bot_class_name!r} does not know the language "
        f"{wanted.language}; it knows {listed}"
    )


def _not_available(platform: PlatformName | None, installation: InstallationFacts) -> AdmissionResult:
    known = ", ".join(sorted(installation.tables)) or "none"
    return AdmissionResult(
        platform,
        Reason.PLATFORM_NOT_AVAILABLE,
        f"spec.platform: there is no platform table of {platform}; this installation has {known}",
        may_pass=True,
    )
