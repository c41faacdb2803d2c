"""Calls to the API server with plain dictionaries: the official client's configuration, TLS and tokens, not its models.

Reading a pod into the client's models costs seven times what JSON alone costs, and no caller wants the models. Requests
go straight to aiohttp, which the client uses too: it would retry none of them.
"""

import asyncio
import json
import logging
import time
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final
from urllib.parse import urlencode

import aiohttp
import orjson
from kubernetes.aio import config
from kubernetes.aio.client import ApiClient, Configuration
from yarl import URL

from meeting_buddy.kube.errors import KubeError, ObjectRef
from meeting_buddy.kube.paths import JSON, METADATA
from meeting_buddy.kube.rate_limiter import RateLimiter

TIMEOUT_SECONDS: Final = 15.0
TOKEN_SECONDS: Final = 60.0
"""After so long the service account's token is read again: the kubelet rotates it."""
USER_AGENT: Final = "meeting-buddy-operator"

OnCall = Callable[[str, str, int], None]
"""Told of every call: HTTP method, kind, status (0: no answer)."""

_log = logging.getLogger(__name__)


async def configuration(kubeconfig: str | None) -> Configuration:
    """Where the API server is and who we are: a kubeconfig file, or the pod's service account.

    Raises:
        kubernetes.aio.config.ConfigException: neither is usable.
    """
    found = Configuration()
    if kubeconfig is None:
        config.load_incluster_config(client_configuration=found, try_refresh_token=False)
        found.refresh_api_key_hook = _reread_token(_boottime() + TOKEN_SECONDS)
    else:
        await config.load_kube_config(config_file=kubeconfig, client_configuration=found, persist_config=False)
    return found


def _reread_token(due: float) -> Callable[[Configuration], None]:
    """What the client calls before each request; its own one goes by calendar time, which may be set back for hours."""

    def reread(settings: Configuration) -> None:
        nonlocal due
        if _boottime() < due:
            return
        due = _boottime() + TOKEN_SECONDS
        try:
            config.load_incluster_config(client_configuration=settings, try_refresh_token=False)
        except (config.ConfigException, OSError) as error:  # the one that is known may serve for a while
            _log.warning("the service account's token cannot be read", extra={"error": type(error).__name__})

    return reread


def _boottime() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class KubeClient:
    """One connection pool for the whole operator."""

    def __init__(self, settings: Configuration, limiter: RateLimiter, on_call: OnCall | None = None) -> None:
        self._settings = settings
        self._api = ApiClient(settings)
        self._http: aiohttp.ClientSession | None = None
        self._host = str(URL(settings.host)).rstrip("/")
        self._limiter = limiter
        self._on_call = on_call or (lambda _method, _kind, _status: None)

    async def close(self) -> None:
        """Close all connections."""
        if self._http is not None:
            await self._http.close()
        await self._api.close()

    async def call(
        self,
        method: str,
        path: str,
        *,
        about: ObjectRef,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, str] | None = None,
        content_type: str = JSON,
        answered: bool = True,
    ) -> dict[str, Any]:
        """Send one request and return the object it answers with.

        Args:
            method: HTTP method.
            path: absolute path, see :func:`meeting_buddy.kube.paths.path_of`.
            about: the object, for errors and metrics.
            body: JSON body.
            query: query parameters.
            content_type: of the body.
            answered: whether anybody reads the answer; else an empty one is returned.

        Raises:
            KubeError: any answer but 2xx, none, or one that is no JSON object.
        """
        status = 0
        try:
            if method != "GET":
                await self._limiter.pace_write()
            async with self._limiter.parallel:
                accept = JSON if answered else METADATA
                status, headers, data = await self._send(method, path, body, query, content_type, accept)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise KubeError(*about, 0, type(error).__name__, "no answer from the API server") from error
        finally:
            self._on_call(method, about.kind, status)
        if status >= 300:
            raise KubeError.from_answer(about, status, data, headers)
        if not answered:
            return {}
        try:
            document = orjson.loads(data)
        except ValueError:
            document = None
        if not isinstance(document, dict):
            raise KubeError.of_nonsense(about)
        return document

    async def _send(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None,
        query: Mapping[str, str] | None,
        content_type: str,
        accept: str,
    ) -> tuple[int, Mapping[str, str], bytes]:
        headers = {"Content-Type": content_type, "Accept": accept}
        url = URL(self._host + path + (_encoded_query(tuple(query.items())) if query else ""), encoded=True)
        data = _encoded(body) if body is not None else None
        async with asyncio.timeout(TIMEOUT_SECONDS):
            # Reads the service account's token again each minute.
            await self._api.update_params_for_auth(headers, [], ["BearerToken"], path, method, body)
            server_name = self._settings.tls_server_name
            async with self._session().request(
                method, url, headers=headers, data=data, allow_redirects=False, server_hostname=server_name
            ) as answer:
                return answer.status, answer.headers, await answer.read()

    def _session(self) -> aiohttp.ClientSession:
        """Made inside the event loop, as aiohttp wants it."""
        if self._http is None:
            settings = self._settings
            connector = aiohttp.TCPConnector(
                limit=settings.connection_pool_maxsize, ssl=self._api.rest_client.ssl_context
            )
            self._http = aiohttp.ClientSession(
                connector=connector,
                headers={"User-Agent": USER_AGENT},
                timeout=aiohttp.ClientTimeout(total=None),
                cookie_jar=aiohttp.DummyCookieJar(),
                proxy=settings.proxy,  # a kubeconfig's; the environment's is for addresses outside the cluster
                trust_env=False,
            )
        return self._http


@lru_cache(maxsize=256)  # most calls have one of a few
def _encoded_query(parameters: tuple[tuple[str, str], ...]) -> str:
    return f"?{urlencode(parameters)}"


def _encoded(body: Mapping[str, Any]) -> bytes:
    try:
        return orjson.dumps(body)
    except TypeError:  # a text with a lone surrogate, which JSON can spell and UTF-8 cannot hold
        return json.dumps(body).encode()
