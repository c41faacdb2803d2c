"""Reads the assignment and what the user's own Secrets add to it, the link or its passcode, and validates it once more.

No message quotes a value: each of the three can hold a secret.
"""

import json
import re
import unicodedata
from collections.abc import Callable
from typing import Any, Final, TypeVar

from pydantic import ValidationError

from meeting_buddy.contract.assignment import Assignment, AttemptConfig, FinisherAssignment, assignment_sha256
from meeting_buddy.contract.links import LinkError, Meeting, parse_link
from meeting_buddy.contract.reasons import Reason
from meeting_buddy.contract.table_reader import UnusableTableError, read_table
from meeting_buddy_bot.support.settings import Settings

MAX_PASSCODE: Final = 128
"""Longest passcode in characters."""

Built = TypeVar("Built", bound=AttemptConfig)


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

    def build(document: dict[str, Any]) -> Assignment:
        given = document["table"]
        try:
            table, left_out = read_table(given)
        except (AttributeError, TypeError):  # lists or single values where a table has mappings
            raise AssignmentError(Reason.CONFIG_INVALID, "the assignment is not valid: table") from None
        return Assignment.model_validate({**document, "table": table, "leftOutOfTable": left_out})

    return _read(settings, build)


def read_finisher_assignment(settings: Settings) -> FinisherAssignment:
    """The finisher's assignment.

    Raises:
        AssignmentError: as :func:`read_assignment` does.
    """
    return _read(settings, FinisherAssignment.model_validate)


def _read(settings: Settings, build: Callable[[Any], Built]) -> Built:
    try:
        content = settings.assignment.read_bytes()
        if settings.assignment_sha256 and assignment_sha256(content) != settings.assignment_sha256:
            raise AssignmentError(
                Reason.CONFIG_INVALID, "the pod's Secret does not hold the assignment that the pod was made for"
            )
        return build(json.loads(content))
    except OSError as error:
        raise AssignmentError(Reason.CONFIG_INVALID, f"the assignment cannot be read: {error.strerror}") from None
    except ValidationError as error:
        wrong = ", ".join(".".join(map(str, each["loc"])) or "the document" for each in error.errors()[:5])
        raise AssignmentError(Reason.CONFIG_INVALID, f"the assignment is not valid: {wrong}") from None
    except UnusableTableError as error:
        raise AssignmentError(Reason.CONFIG_INVALID, str(error)) from None
    except (ValueError, TypeError, KeyError, RecursionError):
        raise AssignmentError(Reason.CONFIG_INVALID, "the assignment is not valid: the document") from None


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
        kinds = {assignment.table.platform: assignment.table.link_rules}
        return parse_link(link, assignment.platform, assignment.self_hosted, kinds)
    except LinkError as error:
        raise AssignmentError(error.reason, str(error)) from None


def load_passcode(settings: Settings) -> str | None:
    """The passcode that the kubelet mounted, without one newline at its end; ``None``: the session names no Secret.

    Raises:
        AssignmentError: ``ConfigInvalid``, with the field that names the Secret.
    """
    try:
        content = settings.passcode_file.read_bytes().decode()
    except FileNotFoundError:
        return None
    except UnicodeDecodeError:
        raise _passcode_error("is not UTF-8 text") from None
    except OSError as error:
        raise _passcode_error(f"cannot be read: {error.strerror}") from None
    passcode = re.sub(r"\r?\n\Z", "", content)
    if not passcode.strip():
        raise _passcode_error("is empty")
    if len(passcode) > MAX_PASSCODE:
        raise _passcode_error(f"is longer than {MAX_PASSCODE} characters")
    if any(unicodedata.category(each) == "Cc" for each in passcode):
        raise _passcode_error("holds control characters, such as a newline inside it")
    return passcode


def _passcode_error(fault: str) -> AssignmentError:
    return AssignmentError(Reason.CONFIG_INVALID, f"the passcode in the Secret of spec.passcodeSecretRef {fault}")
