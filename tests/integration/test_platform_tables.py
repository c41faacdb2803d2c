"""An administrator's platform table, from the operator's folder to the bot's Secret and the session's status."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from meeting_buddy.contract.table import table_hash
from tests.integration.operator_fixtures import crd, place, sessions  # noqa: F401 -- fixtures
from tests.integration.operator_process import PATIENCE, OperatorProcess, Sessions, running
from tests.integration.test_pod_secret import content, secret
from tests.local.clone import PLATFORM_TABLES
from tests.local.cluster.api_only import ApiServer
from tests.support.awaiting import wait_until
from tests.support.machine_wide import free_port
from tests.support.platform_tables import platform_table

METRIC = "meetingbuddy_platform_table_overrides"
GOOD = {"platform": "LiveKit", "tableHash": table_hash(platform_table("livekit")), "timeouts": {"join": 61}}
BAD = {**GOOD, "timeouts": {"jion": 61}}

Operator = Callable[[dict[str, Any]], AbstractContextManager[OperatorProcess]]


@pytest.fixture
def operator_with(crd: ApiServer, place: str, tmp_path: Path) -> Operator:
    """Runs an operator that finds this document of the administrator's."""
    image, administrator = tmp_path / "image", tmp_path / "administrator"
    for folder in (image, administrator):
        folder.mkdir()
    (image / "livekit.yaml").write_bytes((PLATFORM_TABLES / "livekit.yaml").read_bytes())

    @contextmanager
    def operator(document: dict[str, Any]) -> Iterator[OperatorProcess]:
        (administrator / "LiveKit.yaml").write_text(yaml.safe_dump(document))
        tables = (image, administrator)
        with running(OperatorProcess(crd.kubeconfig, tmp_path, place, free_port(), tables=tables)) as process:
            yield process

    return operator


def table_condition(sessions: Sessions, name: str) -> dict[str, Any]:
    """Condition PlatformTable of a session whose status was written."""
    status = wait_until(
        lambda: found if "phase" in (found := sessions.status(name)) else None, f"{name} has a status", PATIENCE
    )
    return next((each for each in status["conditions"] if each["type"] == "PlatformTable"), {})


def join_timeout(sessions: Sessions, name: str) -> float:
    """As the bot's assignment has it."""
    pod = sessions.pod(name)["metadata"]["name"]
    found = wait_until(lambda: secret(sessions, pod), "the pod has its Secret", PATIENCE)
    timeout: float = json.loads(content(found))["table"]["timeouts"]["join"]
    return timeout


def test_the_bot_gets_the_merged_table(operator_with: Operator, sessions: Sessions) -> None:
    with operator_with(GOOD) as operator:
        sessions.apply("standup")
        assert table_condition(sessions, "standup") == {}
        assert join_timeout(sessions, "standup") == 61
        assert operator.metric(METRIC, platform="LiveKit", state="used") == 1
        assert sessions.status("standup")["tableHash"] != GOOD["tableHash"]


def test_a_bad_override_stops_nobody_and_each_new_session_says_so(operator_with: Operator, sessions: Sessions) -> None:
    with operator_with(BAD) as operator:
        sessions.apply("standup")
        found = table_condition(sessions, "standup")
        assert (found["status"], found["reason"]) == ("False", "OverrideInvalid")
        assert "timeouts.jion: unknown field" in found["message"]
        assert sessions.status("standup")["tableHash"] == GOOD["tableHash"]
        assert operator.metric(METRIC, platform="LiveKit", state="invalid") == 1
        assert '"field": "timeouts.jion"' in operator.log.read_text()
    with operator_with(GOOD):
        sessions.apply("retro")
        assert table_condition(sessions, "retro") == {}
        assert table_condition(sessions, "standup")["reason"] == "OverrideInvalid"
