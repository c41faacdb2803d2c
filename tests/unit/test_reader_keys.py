"""What is said of readers' keys by a replica that fails by itself, and then leads no more."""

from __future__ import annotations

from typing import Any, cast
from unittest.mock import AsyncMock

import pytest

from meeting_buddy.app.reader_keys import ReaderKeys
from meeting_buddy.kube.api import KubernetesApi
from meeting_buddy.kube.errors import KubeError
from tests.support.awaiting import until

REFUSED = KubeError("Secret", "meetings", "reader-key", 403, "Forbidden", "no")


@pytest.mark.parametrize("error", [REFUSED, RuntimeError("a fault of its own")], ids=["refused", "own fault"])
async def test_a_replica_that_leads_no_more_says_nothing_is_missing(error: Exception) -> None:
    api: Any = AsyncMock(spec=KubernetesApi)
    api.create_secret.side_effect = error
    leads, missing = True, dict[str, bool]()
    keys = ReaderKeys(
        cast(KubernetesApi, api), ["meetings"], b"r" * 32, lambda: leads, missing.__setitem__, period=0.01
    )
    async with keys.running():
        await until(lambda: missing == {"meetings": True})
        leads = False
        await until(lambda: missing == {"meetings": False})
        leads = True
        await until(lambda: missing == {"meetings": True})
        api.create_secret.side_effect = None
        leads = False
        await until(lambda: missing == {"meetings": False})
        asked = api.create_secret.await_count
        leads = True
        await until(lambda: api.create_secret.await_count > asked)
        assert missing == {"meetings": False}
