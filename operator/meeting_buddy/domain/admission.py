"""Whether a session gets a bot at all: validated again here, after the CRD's earlier and never stricter gates."""

from dataclasses import dataclass

from meeting_buddy.contract.links import LinkError, PlatformName, parse_link
from meeting_buddy.contract.reasons import Reason
from meeting_buddy.domain.facts import InstallationFacts, SessionFacts


@dataclass(frozen=True, slots=True)
class AdmissionResult:
    """Either a platform to join on, or the reason why not and a message fit for the status."""

    platform: PlatformName | None
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
            platform = parse_link(
                spec.meeting_link, spec.platform, installation.self_hosted, installation.kinds
            ).platform
        except LinkError as error:
            if error.reason is Reason.PLATFORM_NOT_AVAILABLE:
                return _not_available(spec.platform, installation)
            return AdmissionResult(spec.platform, error.reason, f"spec.meetingLink: {error}")
    if platform is None:
        return AdmissionResult(
            None, Reason.LINK_INVALID, "spec.platform must be set together with spec.meetingLinkSecretRef"
        )
    if platform not in installation.tables:
        return _not_available(platform, installation)
    if installation.bot_class is None:
        return AdmissionResult(platform, Reason.CONFIG_INVALID, f"bot class {spec.bot_class_name!r} does not exist")
    return AdmissionResult(platform)


def _not_available(platform: PlatformName | None, installation: InstallationFacts) -> AdmissionResult:
    known = ", ".join(sorted(installation.tables)) or "none"
    return AdmissionResult(
        platform,
        Reason.PLATFORM_NOT_AVAILABLE,
        f"spec.platform: there is no platform table of {platform}; this installation has {known}",
    )
