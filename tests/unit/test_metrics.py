"""What /metrics tells, and that the README's table is what is registered."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from meeting_buddy.app import gauges
from meeting_buddy.app.metrics import Metrics
from meeting_buddy.contract.identity import FIRST_BOT
from meeting_buddy.controller.queue import KeyedQueue
from meeting_buddy.controller.session_cache import CacheEntry
from meeting_buddy.domain.facts import AttemptFacts, CreateRejection, ReconcileError, RejectionKind
from tests.support import operator_facts as make
from tests.unit.metrics_table import README, registered, table

CRD = "meetingbuddy_crd_schema_matches"


def test_the_readme_shows_what_is_registered() -> None:
    assert table() in README.read_text(), "run python -m tests.unit.metrics_table"


async def test_each_family_is_described_or_the_client_librarys() -> None:
    metrics = registered()
    described = {each.name.removesuffix("_total") for each in metrics.described}
    families = {each.name for each in metrics.registry.collect()}
    ours = {each for each in families if each.startswith("meetingbuddy_")}
    assert ours == described
    assert {each.partition("_")[0] for each in families - ours} == {"process", "python"}
    assert {"process_cpu_seconds", "process_resident_memory_bytes", "python_gc_collections"} <= families


def test_no_text_is_without_words_or_labels_that_could_name_a_session() -> None:
    bounded = {
        *("after", "before", "bot_class", "code", "namespace", "phase", "platform", "reason", "resource", "result"),
        *("state", "verb", "version"),
    }
    for each in registered().described:
        assert set(each.labels) <= bounded, each.name
        assert each.meaning[:1].isupper() or each.meaning[:1] == "1", each.name
        assert "|" not in each.meaning, each.name


KINDS: tuple[RejectionKind, ...] = ("quota", "forbidden", "invalid")
REFUSED = {kind: {FIRST_BOT: AttemptFacts(rejection=CreateRejection(kind, "no", make.NOW))} for kind in KINDS}


@pytest.mark.parametrize(
    ("status", "known", "failing"),
    [
        ({"phase": "Initializing"}, {}, 0),
        ({"phase": "Initializing"}, {"error": ReconcileError("InternalError", "no", 2, make.NOW)}, 0),
        ({"phase": "Initializing"}, {"error": ReconcileError("InternalError", "no", 3, make.NOW)}, 1),
        ({"phase": "Initializing"}, {"attempts": REFUSED["quota"]}, 1),
        ({"phase": "Initializing"}, {"attempts": REFUSED["forbidden"]}, 1),
        ({"phase": "Initializing"}, {"attempts": REFUSED["invalid"]}, 0),  # it ends at once
        ({"phase": "Failed"}, {"attempts": REFUSED["quota"]}, 0),
        ({"phase": "Scheduled"}, {"attempts": REFUSED["quota"]}, 0),  # its start was moved meanwhile
        ({"phase": "Initializing", "attempt": 2}, {"attempts": REFUSED["quota"]}, 0),  # of the attempt before
    ],
)
def test_a_session_whose_pod_is_refused_fails_too(status: dict[str, Any], known: dict[str, Any], failing: int) -> None:
    session = make.session(status)
    entry = CacheEntry(uid=session.uid, namespace=session.namespace, name=session.name, session=session, **known)
    metrics, cache = Metrics(), [entry]
    gauges.register(metrics, cache, KeyedQueue(), (), SimpleNamespace(held=True))  # type: ignore[arg-type]
    assert metrics.registry.get_sample_value("meetingbuddy_sessions_failing") == failing


def test_only_a_session_that_waited_for_its_start_can_be_late() -> None:
    metrics = Metrics()
    metrics.pod_created(2.0, scheduled=False)
    metrics.pod_created(3.0, scheduled=True)
    assert metrics.registry.get_sample_value("meetingbuddy_apply_to_pod_seconds_count") == 2
    assert metrics.registry.get_sample_value("meetingbuddy_start_lateness_seconds_sum") == 3


def test_a_crd_that_cannot_be_read_has_no_verdict() -> None:
    metrics, version = Metrics(), {"version": "v1alpha1"}
    assert metrics.registry.get_sample_value(CRD, version) is None
    for matches, value in ((False, 0), (True, 1), (None, None)):
        metrics.crd_schema(matches)
        assert metrics.registry.get_sample_value(CRD, version) == value
