"""What the local cluster's name server is told: the events of the watch on Services, one by one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.local.cluster.service_names import changed, hosts, write

DOMAIN = "cluster.local"
BEFORE = {"kubernetes.default.svc.cluster.local": "10.96.0.1"}


def event(kind: str, name: str, **spec: str) -> dict[str, Any]:
    return {"type": kind, "object": {"metadata": {"name": name, "namespace": "default"}, "spec": spec}}


AFTER: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "a new one": (
        event("ADDED", "web", clusterIP="10.96.0.2"),
        {**BEFORE, "web.default.svc.cluster.local": "10.96.0.2"},
    ),
    "another address": (event("MODIFIED", "kubernetes", clusterIP="10.96.0.9"), dict.fromkeys(BEFORE, "10.96.0.9")),
    "gone": (event("DELETED", "kubernetes", clusterIP="10.96.0.1"), {}),
    "gone before it was known": (event("DELETED", "web", clusterIP="10.96.0.2"), BEFORE),
    "headless": (event("ADDED", "web", clusterIP="None"), BEFORE),
    "headless from now on": (event("MODIFIED", "kubernetes", clusterIP="None"), {}),
    "a name of the outside": (event("ADDED", "web", externalName="example.org"), BEFORE),
    "no change": ({"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "7"}}}, BEFORE),
}


@pytest.mark.parametrize(("found", "after"), AFTER.values(), ids=AFTER)
def test_an_event_changes_its_own_service_alone(found: dict[str, Any], after: dict[str, str]) -> None:
    assert changed(BEFORE, found, DOMAIN) == after


def test_a_watch_that_is_too_old_ends() -> None:
    error = {"type": "ERROR", "object": {"kind": "Status", "code": 410, "message": "too old resource version"}}
    with pytest.raises(OSError, match="too old"):
        changed(BEFORE, error, DOMAIN)


def test_the_file_is_replaced_in_one_stroke_and_only_when_it_changes(tmp_path: Path) -> None:
    path = tmp_path / "services"
    write(path, BEFORE)
    assert path.read_text() == hosts(BEFORE) == "10.96.0.1 kubernetes.default.svc.cluster.local\n"
    first = path.stat()
    write(path, BEFORE)
    assert path.stat().st_mtime_ns == first.st_mtime_ns
    write(path, {})
    assert path.read_text() == ""
    assert path.stat().st_ino != first.st_ino
    assert [each.name for each in tmp_path.iterdir()] == ["services"]
