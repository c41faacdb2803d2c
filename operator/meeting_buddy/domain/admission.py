"""Whether a session gets a bot at all: validated again here, after the CRD's earlier and never stricter gates."""

from dataclasses import dataclass

from meeting_buddy.contract.links import LinkError, Platform, parse_link
from meeting_buddy.contract.reasons import Reason
from meeting_buddy.domain.facts import InstallationFacts, SessionFacts


@dataclass(frozen=True, slots=True)
class AdmissionResult:
    """Either a platform to join on, or the reason why not and a message fit for the status."""

    platform: Platform | None
    reason: Reason | None = None
    message: str = ""


def validate(session: SessionFacts, installation: InstallationFacts) -> AdmissionResult:
    """Validate link, platform and bot class; the message names the field and never quotes the link.

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
            platform = parse_link(spec.meeting_link, spec.platform, installation.self_hosted).platform
        except LinkError as error:
            return AdmissionResult(spec.platform, error.reason, f"spec.meetingLink: {error}")
    if platform is None:
        return AdmissionResult(
            None, Reason.LINK_INVALID, "spec.platform must be set together with spec.meetingLinkSecretRef"
        )
    if platform not in installation.tables:
        return AdmissionResult(platform, Reason.PLATFORM_NOT_AVAILABLE, f"this installation cannot join {platform} yet")
    if installation.bot_class is None:
        return AdmissionResult(platform, Reason.CONFIG_INVALID, f"bot class {spec.bot_class_name!r} does not exist")
    return AdmissionResult(platform)
