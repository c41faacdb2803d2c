"""Work beside the operator: one part that fails takes nothing else along, is heard of, and is tried with pauses."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from meeting_buddy.controller import class_check, crd_check
from meeting_buddy.controller.background import beside
from meeting_buddy.controller.class_check import ClassCheck
from meeting_buddy.controller.crd_check import CrdCheck
from meeting_buddy.kube.api import KubernetesApi
from meeting_buddy.kube.errors import KubeError
from meeting_buddy.resource.bot_class import BotClass
from meeting_buddy.resource.crd import schema_hash
from tests.support.awaiting import until

BUSY = KubeError("Pod", "meetings", "class-check", 429, "TooManyRequests", "too many requests", retry_after=70.0)


class Stub:
    """Stands for the API server: the first answers are these errors, then all is well."""

    def __init__(self, *errors: Exception) -> None:
        self._errors = list(errors)
        self.asked: list[str] = []

    async def dry_run_pod(self, pod: dict[str, Any]) -> None:
        self.asked.append(pod["spec"]["containers"][0]["image"])
        self._answer()

    async def served_schema(self) -> dict[str, Any]:
        self.asked.append("schema")
        self._answer()
        return {"description": f"schema {schema_hash()}"}

    def _answer(self) -> None:
        if self._errors:
            raise self._errors.pop(0)

    @property
    def api(self) -> KubernetesApi:
        return cast(KubernetesApi, self)


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Pauses of both checks, which do not take long here."""
    found: list[float] = []
    sleep = asyncio.sleep

    async def noted(seconds: float) -> None:
        found.append(seconds)
        await sleep(0)

    stub = SimpleNamespace(sleep=noted)
    monkeypatch.setattr(class_check, "asyncio", stub)
    monkeypatch.setattr(crd_check, "asyncio", stub)
    return found


def bot_class(image: str) -> BotClass:
    return BotClass(image=f"registry.example/{image}:1")


async def test_work_that_fails_is_heard_of_and_the_block_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    async def fails() -> None:
        raise ValueError("what is secret")

    reached = False
    async with beside(fails, "some work"):
        await until(lambda: caplog.records)
        reached = True
    assert reached
    logged = vars(caplog.records[0])
    assert (logged["levelname"], logged["work"], logged["error"]) == ("ERROR", "some work", "ValueError")
    assert "test_background.py" in logged["frames"][-1]
    assert "what is secret" not in caplog.text


async def test_a_class_that_cannot_be_asked_about_keeps_none_behind_it_from_being_asked(
    caplog: pytest.LogCaptureFixture,
) -> None:
    api = Stub(RuntimeError("broken"))
    verdicts: list[tuple[str, bool]] = []
    check = ClassCheck(
        api.api,
        {"a": bot_class("a"), "b": bot_class("b")},
        ["meetings"],
        lambda name, _namespace, refused: verdicts.append((name, refused)),
    )
    await check.once()
    assert api.asked == ["registry.example/a:1", "registry.example/b:1"]
    assert verdicts == [("b", False)]
    assert vars(caplog.records[0])["bot_class"] == "a"
    await check.once()
    assert (api.asked[2:], verdicts[1:]) == (["registry.example/a:1"], [("a", False)])


@pytest.mark.parametrize(
    ("answer", "withdrawn"),
    [
        (
            'pods "class-check" is forbidden: exceeded quota: team, requested: pods=1, used: pods=9, limited: pods=9',
            True,
        ),
        ('admission webhook "tenants.example.com" denied the request: exceeded quota of tenant blue', False),
        ("unable to create new content in namespace meetings because it is being terminated", False),
    ],
)
async def test_a_refusal_ends_where_only_a_full_quota_is_left_and_its_class_is_asked_about_again(
    answer: str, *, withdrawn: bool
) -> None:
    errors = [KubeError("Pod", "meetings", "class-check", 403, "Forbidden", each) for each in ("no", answer)]
    api, verdicts = Stub(*errors), list[bool]()
    check = ClassCheck(api.api, {"a": bot_class("a")}, ["meetings"], lambda *verdict: verdicts.append(verdict[2]))
    await check.once()
    await check.once()
    assert verdicts == ([True, False] if withdrawn else [True])
    assert check.refusal("a", "meetings") == (None if withdrawn else "no")
    await check.once()
    assert (len(api.asked), verdicts[-1]) == (3, False)


async def test_classes_are_asked_about_more_and_more_rarely_and_not_before_the_api_server_wants_it(
    pauses: list[float],
) -> None:
    errors = [KubeError("Pod", "meetings", "class-check", 403, "Forbidden", "no")] * 3
    check = ClassCheck(Stub(*errors, BUSY).api, {"a": bot_class("a")}, ["meetings"], lambda *_: None)
    async with check.running():
        await until(lambda: len(pauses) >= 5)
    assert_spread_and_doubled(pauses[:3])
    assert pauses[3] == BUSY.retry_after


async def test_the_crd_is_looked_at_more_and_more_rarely_and_not_before_the_api_server_wants_it(
    pauses: list[float],
) -> None:
    seen: list[bool | None] = []
    errors = [KubeError("OpenAPI", "", "", 503, "", "no")] * 3
    async with CrdCheck(Stub(*errors, BUSY, RuntimeError()).api, seen.append).running():
        await until(lambda: True in seen)
    assert seen == [None] * 5 + [True]
    assert_spread_and_doubled(pauses[:3])
    assert pauses[3] == BUSY.retry_after
    assert pauses[4] < BUSY.retry_after, "asked of it once"


def assert_spread_and_doubled(pauses: list[float]) -> None:
    """The first pauses of the operator's one rule for trying again."""
    for pause, middle in zip(pauses, (2.0, 4.0, 8.0), strict=True):
        assert middle * 0.8 <= pause <= middle * 1.2
    assert pauses != [2.0, 4.0, 8.0]
