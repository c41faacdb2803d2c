"""What /metrics tells, and that the README's table is what is registered."""

from __future__ import annotations

from meeting_buddy.app.metrics import Metrics
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
