"""Reads the assignment, and validates its link once more, which is in it or in the user's own Secret.

No message quotes a value: an assignment holds the link, and with it perhaps a passcode.
"""

from pydantic import ValidationError

from meeting_buddy.contract.assignment import Assignment, assignment_sha256
from meeting_buddy.contract.links import LinkError, Meeting, parse_link
from meeting_buddy.contract.reasons import Reason
from meeting_buddy_bot.support.settings import Settings


class AssignmentError(Exception):
    """An assignment that cannot be carried out; ``reason`` and the message are fit for the session's report."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def read_assignment(settings: Settings) -> Assignment:
    """The assignment, without a look at its link.

    Raises:
        AssignmentError: ``ConfigInvalid``, with the fields that are wrong, or because it is not this pod's.
    """
    try:
        content = settings.assignment.read_bytes()
        if settings.assignment_sha256 and assignment_sha256(content) != settings.assignment_sha256:
            raise AssignmentError(
                Reason.CONFIG_INVALID, "the pod's Secret does not hold the assignment that the pod was made for"
            )
        return Assignment.model_validate_json(content)
    except OSError as error:
        raise AssignmentError(Reason.CONFIG_INVALID, f"the assignment cannot be read: {error.strerror}") from None
    except ValidationError as error:
        wrong = ", ".join(".".join(map(str, each["loc"])) or "the document" for each in error.errors()[:5])
        raise AssignmentError(Reason.CONFIG_INVALID, f"the assignment is not valid: {wrong}") from None


def load_link(assignment: Assignment, settings: Settings) -> Meeting:
    """The meeting of the assignment's link, or of the one that the kubelet mounted.

    Raises:
        AssignmentError: ``ConfigInvalid`` without a link, ``LinkInvalid`` or ``HostNotAllowed`` as the contract says.
    """
    link = assignment.link
    if link is None:
        try:
            link = settings.link.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError):
            raise AssignmentError(Reason.CONFIG_INVALID, "the Secret with the meeting link cannot be read") from None
    try:
        return parse_link(link, assignment.platform, assignment.self_hosted)
    except LinkError as error:
        raise AssignmentError(error.reason, str(error)) from None
