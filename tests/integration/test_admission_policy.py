"""The chart's admission policy, as a real API server judges by it: whose hosts, and whose name."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.integration.chart import LIVEKIT_HOST, Manifest, of_kind, rendered
from tests.integration.crd import session
from tests.local.cluster.kubectl import Kubectl, KubectlError
from tests.support.awaiting import wait_until

WATCHED: Manifest = {"watchNamespaces": ["meetings"]}
KINDS = ("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding")
CREATED_BY = "meetingbuddy.io/created-by"

pytestmark = pytest.mark.usefixtures("policy")


def install(kubectl: Kubectl, values: Manifest, *kinds: str) -> None:
    kubectl.apply(*of_kind(rendered(values), *kinds), arguments=["--server-side", "--force-conflicts"])


@pytest.fixture(scope="module")
def policy(kubectl: Kubectl) -> Iterator[None]:
    for name in ("meetings", "elsewhere"):
        kubectl.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    install(kubectl, {**WATCHED, **LIVEKIT_HOST}, "CustomResourceDefinition", *KINDS)
    kubectl("wait", "--for=condition=Established", "crd/meetingsessions.meetingbuddy.io", "--timeout=60s")
    apply_until(kubectl, self_hosted("https://evil.example.org:8443/rooms/a"), refused=True)
    yield
    for each in of_kind(rendered(WATCHED), *KINDS):
        kubectl("delete", each["kind"], each["metadata"]["name"])


def self_hosted(link: str, namespace: str = "meetings") -> Manifest:
    return session("self-hosted", {"meetingLink": link, "platform": "LiveKit"}, namespace)


def apply_until(kubectl: Kubectl, manifest: Manifest, refused: bool) -> str:
    """Apply (dry) until the policy, which the API server compiles a moment after it is stored, judges as expected."""

    def judged() -> str | None:
        run = kubectl.run("create", "--dry-run=server", "--filename=-", stdin=json.dumps(manifest))
        said.append(run.stderr)
        return (run.stderr or "accepted") if (run.returncode != 0) is refused else None

    said: list[str] = []
    try:
        return wait_until(judged, f"the policy judges; refused: {refused}", 60)
    except AssertionError as error:
        raise AssertionError(f"{error}; {said[-1]}") from None


class TestSelfHostedHosts:
    def test_a_host_that_is_not_listed_is_refused_at_once(self, kubectl: Kubectl) -> None:
        message = apply_until(kubectl, self_hosted("https://evil.example.org:8443/rooms/secret"), refused=True)
        assert "selfHosted.hosts" in message
        assert "secret" not in message.replace("self-hosted", "")

    @pytest.mark.parametrize("link", ["https://meet.example.org/rooms/a", "https://meet.example.org:84430/rooms/a"])
    def test_another_port_is_another_host(self, kubectl: Kubectl, link: str) -> None:
        apply_until(kubectl, self_hosted(link), refused=True)

    def test_a_listed_host_is_accepted(self, kubectl: Kubectl) -> None:
        apply_until(kubectl, self_hosted("https://Meet.example.org:8443/rooms/a#key"), refused=False)

    def test_namespaces_of_others_are_not_judged(self, kubectl: Kubectl) -> None:
        apply_until(kubectl, self_hosted("https://evil.example.org/rooms/a", "elsewhere"), refused=False)

    def test_a_host_that_is_not_listed_any_more_keeps_nobody_from_leaving(self, kubectl: Kubectl) -> None:
        meetings = kubectl.in_namespace("meetings")
        meetings.create({**self_hosted("https://meet.example.org:8443/rooms/a"), "metadata": {"name": "delisted"}})
        install(kubectl, WATCHED, *KINDS)
        try:
            apply_until(kubectl, self_hosted("https://meet.example.org:8443/rooms/a"), refused=True)
            meetings("patch", "mbs", "delisted", "--type=merge", '--patch={"spec":{"leave":true}}')
        finally:
            install(kubectl, {**WATCHED, **LIVEKIT_HOST}, *KINDS)
            apply_until(kubectl, self_hosted("https://meet.example.org:8443/rooms/a"), refused=False)
            meetings("delete", "mbs", "delisted")

    def test_a_link_that_is_changed_is_judged_like_a_new_one(self, kubectl: Kubectl) -> None:
        meetings = kubectl.in_namespace("meetings")
        meetings.create({**self_hosted("https://meet.example.org:8443/rooms/a"), "metadata": {"name": "moved"}})
        try:
            good, bad = ("https://meet.example.org:8443/rooms/b", "https://evil.example.org/rooms/very-secret")
            meetings("patch", "mbs", "moved", "--type=merge", json_patch(good))
            with pytest.raises(KubectlError, match="not one of this installation's self-hosted hosts") as refusal:
                meetings("patch", "mbs", "moved", "--type=merge", json_patch(bad))
            assert "very-secret" not in str(refusal.value)
        finally:
            meetings("delete", "mbs", "moved")


def json_patch(link: str) -> str:
    return "--patch=" + json.dumps({"spec": {"meetingLink": link}})


def by(creator: str | None, name: str = "named", namespace: str = "meetings") -> Manifest:
    """A session that says who made it."""
    manifest = session(name, namespace=namespace)
    if creator is not None:
        manifest["metadata"]["annotations"] = {CREATED_BY: creator}
    return manifest


ACCOUNT = "system:serviceaccount:meetings:caller"


class TestCreatedBy:
    """Everybody here may do everything by RBAC (system:masters): the policy alone judges."""

    @pytest.mark.parametrize("user", ["jane", "jane@example.org", ACCOUNT])
    def test_a_user_may_name_nobody_or_themselves(self, kubectl: Kubectl, user: str) -> None:
        jane = kubectl.as_user(user, ["system:masters"])
        for creator in (None, user):
            jane("create", "--dry-run=server", "--filename=-", stdin=json.dumps(by(creator)))

    @pytest.mark.parametrize("creator", ["john", "", "Jane", "jane ", ACCOUNT])
    def test_nobody_may_name_somebody_else(self, kubectl: Kubectl, creator: str) -> None:
        jane = kubectl.as_user("jane", ["system:masters"])
        with pytest.raises(KubectlError) as refusal:
            jane("create", "--dry-run=server", "--filename=-", stdin=json.dumps(by(creator)))
        message = str(refusal.value)
        assert "Forbidden" in message or "forbidden" in message
        assert "leave the annotation out, or set it to your own name (kubectl auth whoami)" in message
        assert "john" not in message

    def test_an_administrator_may_not_either(self, kubectl: Kubectl) -> None:
        with pytest.raises(KubectlError, match="created-by"):
            kubectl("apply", "--server-side", "--dry-run=server", "--filename=-", stdin=json.dumps(by("jane")))

    def test_namespaces_of_others_are_not_judged(self, kubectl: Kubectl) -> None:
        manifest = by("john", namespace="elsewhere")
        kubectl("create", "--dry-run=server", "--filename=-", stdin=json.dumps(manifest))

    @pytest.fixture
    def named(self, kubectl: Kubectl) -> Iterator[Kubectl]:
        """A session of jane's, and one of nobody's."""
        meetings = kubectl.in_namespace("meetings")
        meetings.as_user("jane", ["system:masters"]).create(by("jane"), by(None, "unnamed"))
        yield meetings
        meetings("delete", "mbs", "named", "unnamed")

    @pytest.mark.parametrize("user", ["jane", "john"])
    @pytest.mark.parametrize(
        ("name", "creator"),
        [("named", "john"), ("named", None), ("named", ""), ("unnamed", "john"), ("unnamed", "jane"), ("unnamed", "")],
    )
    def test_it_never_changes(self, named: Kubectl, name: str, user: str, creator: str | None) -> None:
        change = json.dumps({"metadata": {"annotations": {CREATED_BY: creator}}})
        with pytest.raises(KubectlError, match="cannot change once the session exists; keep its value, and"):
            named.as_user(user, ["system:masters"])("patch", "mbs", name, "--type=merge", "--patch", change)

    @pytest.mark.parametrize("name", ["named", "unnamed"])
    def test_anything_else_may_change_by_anybody(self, named: Kubectl, name: str) -> None:
        john = named.as_user("john", ["system:masters"])
        john("patch", "mbs", name, "--type=merge", '--patch={"spec":{"leave":true}}')
        john("annotate", "mbs", name, "example.org/note=x")
        john("annotate", "mbs", name, "example.org/note-")
        other = {**by(None, name), "metadata": {"name": name, "namespace": "meetings", "labels": {"team": "red"}}}
        john.apply(other, arguments=["--server-side", "--force-conflicts"])
        annotations = named.json("get", "mbs", name)["metadata"].get("annotations", {})
        assert annotations.get(CREATED_BY) == ("jane" if name == "named" else None)

    def test_the_status_is_no_way_round(self, named: Kubectl) -> None:
        change = {"metadata": {"annotations": {CREATED_BY: "john"}}, "status": {"phase": "Joining"}}
        named("patch", "mbs", "named", "--subresource=status", "--type=merge", "--patch", json.dumps(change))
        found = named.json("get", "mbs", "named")
        assert found["metadata"]["annotations"][CREATED_BY] == "jane"
        assert found["status"]["phase"] == "Joining"
