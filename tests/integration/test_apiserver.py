"""The API server of this folder is a real one: it refuses, defaults, isolates and authorises."""

from __future__ import annotations

import json

from tests.local.cluster.commands import kubernetes_version
from tests.local.cluster.kubectl import Kubectl
from tests.support.awaiting import wait_until


def test_it_is_the_pinned_version(kubectl: Kubectl) -> None:
    versions = kubectl.json("version")
    assert versions["serverVersion"]["gitVersion"] == kubernetes_version()


def test_kubectl_is_of_the_same_minor_version(kubectl: Kubectl) -> None:
    versions = kubectl.json("version")
    assert versions["clientVersion"]["minor"] == versions["serverVersion"]["minor"]


def test_the_default_namespace_is_there_at_once(kubectl: Kubectl) -> None:
    assert kubectl("get", "namespace", "default", "--output=name").strip() == "namespace/default"


def test_it_refuses_an_unknown_field(kubectl: Kubectl) -> None:
    manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "wrong"}, "surplus": {}}
    refused = kubectl.run("create", "--validate=strict", "--filename=-", stdin=json.dumps(manifest))
    assert refused.returncode != 0
    assert 'unknown field "surplus"' in refused.stderr


def test_a_stranger_may_nothing_until_rbac_says_so(kubectl: Kubectl) -> None:
    jane = kubectl.as_user("jane", ["team-a"])
    refused = jane.run("get", "configmaps")
    assert refused.returncode != 0
    assert "Forbidden" in refused.stderr

    kubectl("create", "role", "read-configmaps", "--verb=get,list", "--resource=configmaps")
    kubectl("create", "rolebinding", "team-a-reads", "--role=read-configmaps", "--group=team-a")
    try:
        # The authoriser learns of a binding by a watch.
        wait_until(lambda: jane.run("auth", "can-i", "list", "configmaps").returncode == 0, "she may list them", 60)
        assert jane("auth", "can-i", "list", "configmaps").strip() == "yes"
    finally:
        kubectl("delete", "rolebinding/team-a-reads", "role/read-configmaps")


def test_restricted_pod_security_is_enforced(kubectl: Kubectl) -> None:
    kubectl("create", "namespace", "restricted")
    kubectl("label", "namespace", "restricted", "pod-security.kubernetes.io/enforce=restricted")
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "root", "namespace": "restricted"},
        "spec": {"containers": [{"name": "c", "image": "i", "securityContext": {"privileged": True}}]},
    }
    refused = kubectl.run("create", "--filename=-", stdin=json.dumps(pod))
    assert refused.returncode != 0
    assert 'violates PodSecurity "restricted' in refused.stderr
