"""``/readyz``: an operator that works already is ready once it knows every namespace that it watches."""

from __future__ import annotations

import asyncio
import urllib.error
import urllib.request
from pathlib import Path

from aiohttp import web

from tests.integration.faulty_api import Call, faulty
from tests.integration.operator_fixtures import crd  # noqa: F401 -- fixture
from tests.integration.operator_process import OperatorProcess
from tests.integration.test_operator_scope import namespace
from tests.local.cluster.api_only import ApiServer
from tests.support.awaiting import wait_until
from tests.support.machine_wide import free_port


def readiness(operator: OperatorProcess) -> str:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{operator.port}/readyz", timeout=10) as answer:
            return str(answer.read().decode())
    except urllib.error.HTTPError as error:
        return error.read().decode()
    except OSError:
        return ""


async def test_it_is_not_ready_while_a_namespace_is_not_listed_yet(crd: ApiServer, tmp_path: Path) -> None:
    fine, slow = (namespace(crd.kubectl, prefix) for prefix in ("fine", "slow"))
    listable = asyncio.Event()

    async def fault(call: Call) -> web.StreamResponse:
        if not listable.is_set() and f"/namespaces/{slow}/" in call.request.path:
            return web.json_response({"kind": "Status", "code": 503, "reason": "ServiceUnavailable"}, status=503)
        return await call.pass_on()

    def through(kubeconfig: Path) -> None:
        operator = OperatorProcess(kubeconfig, tmp_path, fine, free_port(), also=(slow,))
        operator.start(ready=False)
        try:
            wait_until(lambda: readiness(operator), "it answers", 60)
            wait_until(lambda: operator.metric("meetingbuddy_leader") == 1, "it works", 60)
            assert readiness(operator) == f"not listed yet: {slow}\n"
            loop.call_soon_threadsafe(listable.set)
            wait_until(operator.ready, "it is ready", 60)
            assert readiness(operator) == "ok\n"
        finally:
            operator.kill()

    loop = asyncio.get_running_loop()
    async with faulty(crd.kubeconfig, fault, tmp_path) as kubeconfig:
        await asyncio.to_thread(through, kubeconfig)
