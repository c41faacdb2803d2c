"""The roles that a problem's remedy names are those that the chart makes, wherever it serves."""

from __future__ import annotations

import re

import pytest

from meeting_buddy.http_api.problems import from_kube, media_forbidden
from meeting_buddy.kube.errors import KubeError
from tests.integration.chart import NAMESPACE, RELEASE, of_kind, rendered

REFUSED = (
    'User "jane" cannot create resource "meetingsessions" in API group "meetingbuddy.io" in the namespace "team-a"'
)


@pytest.mark.parametrize(("watched", "kind"), [(["team-a"], "Role"), ([], "ClusterRole")], ids=["some", "all"])
def test_a_remedy_names_a_role_that_exists(watched: list[str], kind: str) -> None:
    values = {"watchNamespaces": watched, "api": {"enabled": True, "tls": {"secretName": "certificate"}}}
    made = {each["metadata"]["name"] for each in of_kind(rendered(values), kind)}
    refused = from_kube(KubeError("MeetingSession", "team-a", "", 403, "Forbidden", REFUSED))
    for error in (refused, media_forbidden("meetingsessions/transcript", "team-a")):
        remedy = error.document()["remedy"].replace("<its namespace>", NAMESPACE).replace("<its release>", RELEASE)
        named = re.search(rf"\b{kind} ([a-z:-]+[a-z])", remedy)
        assert named is not None
        assert named[1] in made
