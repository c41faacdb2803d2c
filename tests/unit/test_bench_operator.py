"""What the operator's bench counts and attributes, without processes."""

from __future__ import annotations

from tests.local.bench import api_requests, stack_sampler

PAGE = """
# TYPE apiserver_request_total counter
apiserver_request_total{code="201",dry_run="",resource="pods",subresource="",verb="POST"} 4
apiserver_request_total{code="409",dry_run="",resource="pods",subresource="",verb="POST"} 1
apiserver_request_total{code="201",dry_run="All",resource="pods",subresource="",verb="POST"} 8
apiserver_request_total{code="200",dry_run="",resource="pods",subresource="status",verb="PATCH"} 12
apiserver_request_total{code="200",dry_run="",resource="meetingsessions",subresource="status",verb="PATCH"} 6
apiserver_request_total{code="201",dry_run="",resource="events",subresource="",verb="POST"} 3
apiserver_request_total{code="200",dry_run="",resource="meetingsessions",subresource="",verb="LIST"} 2
apiserver_request_total{code="200",dry_run="",resource="leases",subresource="",verb="PUT"} 1e+02
"""


def test_requests_of_the_script_and_dry_runs_are_not_counted() -> None:
    found = api_requests.requests(PAGE)
    assert (api_requests.writes(found), api_requests.reads(found), api_requests.events(found)) == (11, 2, 3)


def test_a_sample_is_of_the_innermost_that_is_known() -> None:
    kopf, ours = "/x/site-packages/kopf/a.py:f", "/x/operator/meeting_buddy/kube/client.py:call"
    http, tls = "/x/site-packages/aiohttp/client.py:get", "/x/asyncio/sslproto.py:write"
    found = stack_sampler.shares(
        [
            (4, ("/x/json/decoder.py:decode", ours)),
            (3, ("/x/copy.py:deepcopy", kopf)),
            (2, (ours, kopf)),
            (1, (http, ours)),
            (5, (http, "/x/asyncio/events.py:Handle._run")),
            (5, (tls, "/x/asyncio/events.py:Handle._run")),
        ]
    )
    expected = {"HTTP (aiohttp)": 5, "TLS": 5, "JSON": 4, "our packages": 3, "kopf": 3}
    assert found == {name: count / 20 for name, count in expected.items()}
