"""The table of phases: ranks and the three conditions of each."""

import pytest

from meeting_buddy.contract.phases import PHASES, Phase, ReportPhase, Waiting, http_name
from meeting_buddy.contract.reasons import Reason

TABLE = [
    # phase, Ready, Reconciling, Stalled: contract §2
    (Phase.SCHEDULED, True, False, False),
    (Phase.INITIALIZING, False, True, False),
    (Phase.JOINING, False, True, False),
    (Phase.ACTIVE, True, False, False),
    (Phase.RECORDING, True, False, False),
    (Phase.LEAVING, False, True, False),
    (Phase.COMPLETED, True, False, False),
    (Phase.FAILED, False, False, True),
]


@pytest.mark.parametrize(("phase", "ready", "reconciling", "stalled"), TABLE)
def test_conditions_of_a_phase(phase: Phase, ready: bool, reconciling: bool, stalled: bool) -> None:
    facts = PHASES[phase]
    assert (facts.ready, facts.reconciling, facts.stalled) == (ready, reconciling, stalled)
    assert facts.meaning.endswith(".")


def test_the_table_is_complete() -> None:
    assert [row[0] for row in TABLE] == list(Phase) == list(PHASES)


def test_ranks_rise_in_the_order_of_a_session() -> None:
    ranks = [phase.rank for phase in Phase]
    assert ranks == sorted(ranks)
    assert Phase.COMPLETED.rank == Phase.FAILED.rank > Phase.LEAVING.rank


def test_only_the_last_two_are_terminal() -> None:
    assert [phase for phase in Phase if phase.terminal] == [Phase.COMPLETED, Phase.FAILED]


def test_what_a_bot_reports_is_a_phase_of_the_session_until_it_ends() -> None:
    assert {phase.value for phase in ReportPhase} - {phase.value for phase in Phase} == {"Ended"}


@pytest.mark.parametrize(
    ("name", "spelled"),
    [
        (Phase.RECORDING, "recording"),
        (Reason.NOBODY_CAME, "nobody_came"),
        (Waiting.WAITING_ROOM, "waiting_room"),
        (Reason.END_TO_END_ENCRYPTED, "end_to_end_encrypted"),
    ],
)
def test_names_in_the_http_api(name: str, spelled: str) -> None:
    assert http_name(name) == spelled
