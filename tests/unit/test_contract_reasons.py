"""The table of reasons: complete, advised, and what each one ends in."""

import ast
import re

import pytest

from meeting_buddy.contract.phases import Phase
from meeting_buddy.contract.reasons import PLANNED, REASONS, Reason, end_phase
from meeting_buddy.resource import reference
from tests.local.clone import PLATFORM_TABLES, REPOSITORY

RETRIED = {
    Reason.MEETING_NOT_STARTED,
    Reason.MEETING_FULL,
    Reason.MEETING_LOCKED,
    Reason.BLOCKED_AS_BOT,
    Reason.PAGE_NOT_RECOGNISED,
    Reason.PAGE_UNREACHABLE,
    Reason.JOIN_TIMEOUT,
    Reason.BROWSER_CRASHED,
    Reason.QUOTA_EXCEEDED,
    Reason.OUT_OF_MEMORY,
    Reason.EVICTED,
    Reason.NODE_LOST,
    Reason.BOT_CRASHED,
}
BEFORE_JOINING = {Reason.LEAVE_REQUESTED, Reason.END_TIME_REACHED}
ENDING = [reason for reason in Reason if REASONS[reason].end is not None]
COMPLETED = [reason for reason in ENDING if REASONS[reason].end is Phase.COMPLETED]
FAILED = [reason for reason in ENDING if REASONS[reason].end is Phase.FAILED]


def test_every_reason_has_a_row() -> None:
    assert set(REASONS) == set(Reason)


def test_only_these_are_retried() -> None:
    assert {reason for reason, facts in REASONS.items() if facts.retry} == RETRIED


def test_a_completed_reason_is_never_retried() -> None:
    assert not RETRIED & set(COMPLETED)


@pytest.mark.parametrize("reason", Reason)
def test_advice_is_one_sentence(reason: Reason) -> None:
    advice = REASONS[reason].advice
    assert advice[0].isupper()
    assert advice.endswith(".")
    assert advice.count(". ") == 0


@pytest.mark.parametrize("reason", COMPLETED)
def test_completed_is_earned_by_verified_files(reason: Reason) -> None:
    assert end_phase(reason, ever_joined=True, files_verified=True, files_expected=True) == (Phase.COMPLETED, reason)
    assert end_phase(reason, ever_joined=True, files_verified=False, files_expected=True) == (
        Phase.FAILED,
        Reason.VERIFICATION_FAILED,
    )
    assert end_phase(reason, ever_joined=True, files_verified=False, files_expected=False) == (Phase.COMPLETED, reason)


@pytest.mark.parametrize("reason", COMPLETED)
def test_who_never_joined_completes_only_by_a_wish(reason: Reason) -> None:
    phase, told = end_phase(reason, ever_joined=False, files_verified=False, files_expected=True)
    expected = (Phase.COMPLETED, reason) if reason in BEFORE_JOINING else (Phase.FAILED, Reason.JOIN_TIMEOUT)
    assert (phase, told) == expected


@pytest.mark.parametrize("reason", FAILED)
@pytest.mark.parametrize("joined", [True, False])
@pytest.mark.parametrize("verified", [True, False])
def test_a_failed_reason_stays_what_it_is(reason: Reason, joined: bool, verified: bool) -> None:
    assert end_phase(reason, ever_joined=joined, files_verified=verified, files_expected=True) == (Phase.FAILED, reason)


def test_a_deleted_session_has_no_end() -> None:
    with pytest.raises(ValueError, match="never ends"):
        end_phase(Reason.DELETED, ever_joined=True, files_verified=True, files_expected=True)


def raised() -> set[Reason]:
    """Reasons that some line of the product names, the tables that map every reason left out."""
    found = set()
    for path in [*(REPOSITORY / "operator").rglob("*.py"), *(REPOSITORY / "bot-image").rglob("*.py")]:
        tree: ast.AST = ast.parse(path.read_text())
        if path.name == "rejoin.py":
            continue
        if path.name == "reasons.py":
            tree = next(
                node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name == "end_phase"
            )
        found |= {
            Reason[node.attr]
            for node in ast.walk(tree)
            if isinstance(node, ast.Attribute) and node.attr in Reason.__members__
        }
    for table in PLATFORM_TABLES.glob("*.yaml"):
        found |= {Reason(word) for word in re.findall(r"reason: (\w+)", table.read_text())}
    return found


def test_a_reason_is_planned_exactly_when_nothing_raises_it() -> None:
    assert set(Reason) - raised() == set(PLANNED)


def test_the_public_table_lists_what_is_raised_and_nothing_else() -> None:
    listed = set(re.findall(r"^\| `(\w+)` \|", reference.reasons(), re.MULTILINE))
    assert listed == {reason.value for reason in set(Reason) - PLANNED}
