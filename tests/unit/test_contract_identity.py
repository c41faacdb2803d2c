"""Names that are computed from a session's name and uid."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meeting_buddy.contract.identity import (
    MAX_SESSION_NAME,
    PodId,
    Role,
    pod_id,
    pod_name,
    session_id,
    volume_path,
)

UID = "0b5c8f0e-1d2a-4f4b-9a53-0d5c3f1d2a4f"
LABEL = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")


@pytest.mark.parametrize(
    ("name", "attempt", "expected"),
    [
        ("weekly-sync", 1, "weekly-sync-0b5c8f0e-1"),
        ("weekly-sync", 12, "weekly-sync-0b5c8f0e-12"),
        ("a" * 52, 1, "a" * 45 + "-0b5c8f0e-1"),
        ("a" * 44 + "-bcd", 1, "a" * 44 + "-0b5c8f0e-1"),
        ("a" * 43 + ".-bcd", 1, "a" * 43 + "-0b5c8f0e-1"),
    ],
)
def test_name_of_the_pod(name: str, attempt: int, expected: str) -> None:
    assert pod_name(name, UID, attempt) == expected


@given(
    st.from_regex(r"\A[a-z0-9]([-a-z0-9.]{0,50}[a-z0-9])?\Z").filter(lambda name: len(name) <= MAX_SESSION_NAME),
    st.uuids(),
    st.integers(1, 999),
    st.sampled_from(Role),
)
def test_a_pod_name_is_a_name_that_kubernetes_takes_and_says_which_pod_it_is(
    name: str, uid: object, attempt: int, role: Role
) -> None:
    made = pod_name(name, str(uid), attempt, role)
    assert len(made) <= 63
    assert LABEL.fullmatch(made)
    assert pod_id(made, str(uid)) == PodId(attempt, role)


@pytest.mark.parametrize(
    "name",
    ["weekly-sync-0b5c8f0e", "weekly-sync-0b5c8f0e-", "weekly-sync-0b5c8f0e-0", "weekly-sync-0b5c8f0e-01",
     "weekly-sync-0b5c8f0e-1-g", "weekly-sync-0b5c8f0f-1", "weekly-sync-1", "0b5c8f0e-1", "weekly-sync-0b5c8f0e-٣"],
)  # fmt: skip
def test_other_names_are_of_no_pod(name: str) -> None:
    assert pod_id(name, UID) is None


def test_session_id_and_place_on_the_volume() -> None:
    assert session_id(UID) == "mbsess_0b5c8f0e1d2a4f4b9a530d5c3f1d2a4f"
    assert volume_path("team-a", session_id(UID)) == f"team-a/{session_id(UID)}"
