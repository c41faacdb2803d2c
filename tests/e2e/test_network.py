"""What a pod reaches: other pods, the API server, the cluster's DNS and the local meeting; nothing else here or beyond.

Every refusal is asked for where somebody really listens, and the node itself gets through there: so it is the firewall
that refuses, not an empty port. "Refused" means told so at once; a silent drop would cost every caller its time-out, as
only a Service with a foreign endpoint does.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.local import images
from tests.local.cluster.kubectl import Kubectl
from tests.local.cluster.paths import (
    BRIDGE,
    CLUSTER_DOMAIN,
    DNS_PORT,
    FIRST_SERVICE_ADDRESS,
    MEETING_MEDIA_PORT,
    MEETING_TLS_PORT,
    NODE_ADDRESS,
    REGISTRY_PORT,
    Ports,
)
from tests.local.machine.execute import output
from tests.support.awaiting import wait_until
from tests.support.machine_wide import PASSING_ADDRESS

pytestmark = pytest.mark.cluster

_BEYOND = "198.51.100.1"  # TEST-NET-2: nobody's, and routed out of every machine
_STRAY_SERVICE = "10.96.77.77"  # in the service range, of no service
_PEER_PORT = 8080
_KUBELET_PORT = 10250

_CONNECT = """
import socket, sys
kind, host, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
family = socket.getaddrinfo(host, port)[0][0]
with socket.socket(family, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM) as link:
    link.settimeout(10 if kind == "tcp" else 1)
    try:
        link.connect((host, port))
        for attempt in range(3) if kind == "udp" else ():  # the kernel limits how often it refuses a datagram
            link.send(b"ping")
            try:
                link.recv(16)
                break
            except TimeoutError:
                if attempt == 2:
                    raise
        print("open")
    except TimeoutError:
        print("silent")
    except ConnectionRefusedError:
        print("refused")
    except OSError as error:
        print("unreachable", error.errno)
"""


_RESOLVE = """
import socket, sys
for name in sys.argv[1:]:
    try:
        print(socket.getaddrinfo(name, 80, socket.AF_INET, socket.SOCK_STREAM)[0][4][0])
    except socket.gaierror as error:
        print("unknown" if error.errno == socket.EAI_NONAME else error)
"""


_SECONDS_UNTIL_UNKNOWN = """
import socket, sys, time
began = time.monotonic()
try:
    print("known:", socket.getaddrinfo(sys.argv[1], 80, socket.AF_INET, socket.SOCK_STREAM))
except socket.gaierror as error:
    print(time.monotonic() - began if error.errno == socket.EAI_NONAME else error)
"""


@dataclass(frozen=True, slots=True)
class Prober:
    """A pod, a Deployment's only one, that tries to reach things."""

    kubectl: Kubectl
    name: str

    def tcp(self, host: str, port: int) -> str:
        """`open`, `refused`, `silent` or `unreachable …`."""
        return self._try("tcp", host, port)

    def udp(self, host: str, port: int) -> str:
        """The same for a datagram; `open` means that an answer came."""
        return self._try("udp", host, port)

    def addresses(self, *names: str) -> list[str]:
        """By the pod's own resolver: an address for each name, or `unknown`."""
        return self._python(_RESOLVE, *names).split()

    def seconds_until_unknown(self, name: str) -> float:
        """How long the pod's own resolver takes to say that there is no such name."""
        return float(self._python(_SECONDS_UNTIL_UNKNOWN, name))

    def _try(self, kind: str, host: str, port: int) -> str:
        return self._python(_CONNECT, kind, host, str(port)).strip()

    def _python(self, script: str, *arguments: str) -> str:
        return self.kubectl("exec", f"deployment/{self.name}", "--", "python", "-c", script, *arguments)


def from_the_node(kind: str, host: str, port: int) -> str:
    """The same attempt from the machine itself."""
    argv = [sys.executable, "-c", _CONNECT, kind, host, str(port)]
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture(scope="module")
def namespace(make_namespace: Callable[[str], str]) -> str:
    return make_namespace("network")


@pytest.fixture(scope="module")
def pods(kubectl: Kubectl, namespace: str) -> Kubectl:
    """Two pods, `prober` and `peer`, the second behind a service; Ready by the kubelet's own HTTP probe.

    Their Deployments bring them back when the node is lost between two tests.
    """
    image = str(images.build("operator"))
    here = kubectl.in_namespace(namespace)
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "peer"},
        "spec": {"selector": {"app": "peer"}, "ports": [{"port": 80, "targetPort": _PEER_PORT}]},
    }
    here.apply(service, *(_deployment(name, image) for name in ("prober", "peer")))
    here("wait", "--for=condition=Available", "deployment/prober", "deployment/peer", "--timeout=120s")
    # kube-proxy hears of a ready pod a moment after the API server did.
    address = here.json("get", "service", "peer")["spec"]["clusterIP"]
    wait_until(lambda: from_the_node("tcp", address, 80) == "open", "the service leads to its pod", 60)
    return here


@pytest.fixture(scope="module")
def prober(pods: Kubectl) -> Prober:
    return Prober(pods, "prober")


@pytest.fixture(scope="module")
def listener() -> Iterator[int]:
    """A server on this machine that listens everywhere, IPv4 and IPv6; its port."""
    with socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True) as server:
        yield server.getsockname()[1]


def test_the_kubelet_probes_pods(pods: Kubectl) -> None:
    conditions = _peer(pods)["status"]["conditions"]
    assert {"Ready": "True"}.items() <= {each["type"]: each["status"] for each in conditions}.items()


def test_a_pod_reaches_another_pod(pods: Kubectl, prober: Prober) -> None:
    address = _peer(pods)["status"]["podIP"]
    assert prober.tcp(address, _PEER_PORT) == "open"


def test_a_pod_reaches_a_service(pods: Kubectl, prober: Prober) -> None:
    address = pods.json("get", "service", "peer")["spec"]["clusterIP"]
    assert prober.tcp(address, 80) == "open"
    assert from_the_node("tcp", address, 80) == "open"


def test_a_pod_reaches_itself_through_its_service(pods: Kubectl) -> None:
    address = pods.json("get", "service", "peer")["spec"]["clusterIP"]
    assert Prober(pods, "peer").tcp(address, 80) == "open"


@pytest.mark.parametrize(("host", "port"), [(FIRST_SERVICE_ADDRESS, 443), (NODE_ADDRESS, Ports().api)])
def test_a_pod_reaches_the_api_server(prober: Prober, host: str, port: int) -> None:
    assert prober.tcp(host, port) == "open"


@pytest.mark.meeting_alone  # it takes its port where it does not run
def test_a_pod_reaches_the_meetings_tls_port(prober: Prober) -> None:
    with _somebody_on("tcp", MEETING_TLS_PORT):
        assert prober.tcp(NODE_ADDRESS, MEETING_TLS_PORT) == "open"


@pytest.mark.meeting_alone  # likewise
def test_a_pod_reaches_the_meetings_media_port(prober: Prober) -> None:
    with _somebody_on("udp", MEETING_MEDIA_PORT) as ours:
        # A media server that runs there does not answer a ping: reached, since a firewall would have refused.
        assert prober.udp(NODE_ADDRESS, MEETING_MEDIA_PORT) == ("open" if ours else "silent")


@pytest.mark.parametrize(
    ("name", "own_address", "port"),
    [
        ("etcd", "127.0.0.1", Ports().etcd),
        ("etcd for its peers", "127.0.0.1", Ports().etcd_peer),
        ("the kubelet", NODE_ADDRESS, _KUBELET_PORT),
        ("the registry", "127.0.0.1", REGISTRY_PORT),
        ("kube-proxy", "127.0.0.1", 10256),
        ("the controller manager", "127.0.0.1", 10257),
        ("the scheduler", "127.0.0.1", 10259),
    ],
)
def test_a_pod_does_not_reach(prober: Prober, name: str, own_address: str, port: int) -> None:
    assert from_the_node("tcp", own_address, port) == "open", f"{name} does not listen: the test would prove nothing"
    for address in _addresses_of_this_machine():
        assert prober.tcp(address, port) == "refused", f"{name} at {address}"


def test_a_pod_reaches_no_other_server_on_any_address_of_this_machine(prober: Prober, listener: int) -> None:
    for address in (*_addresses_of_this_machine(), "10.244.0.1"):
        assert from_the_node("tcp", address, listener) == "open"
        assert prober.tcp(address, listener) == "refused", address


def test_a_pod_has_no_way_around_over_ipv6(prober: Prober, listener: int) -> None:
    for address in _addresses_of_this_machine(version=6):
        assert from_the_node("tcp", address, listener) == "open"
        assert prober.tcp(address, listener).startswith("unreachable"), address
    assert _addresses(BRIDGE, version=6, scopes=("global", "link")) == []


@pytest.mark.meeting_alone  # likewise
def test_the_meetings_ports_are_open_for_their_own_protocol_alone(prober: Prober) -> None:
    with _somebody_on("tcp", MEETING_MEDIA_PORT), _somebody_on("udp", MEETING_TLS_PORT):
        assert prober.tcp(NODE_ADDRESS, MEETING_MEDIA_PORT) == "refused"
        assert prober.udp(NODE_ADDRESS, MEETING_TLS_PORT) == "refused"


def test_a_pod_reaches_nothing_beyond_this_machine(prober: Prober) -> None:
    assert prober.tcp(_BEYOND, 443) == "refused"
    assert prober.udp(_BEYOND, 53) == "refused"


def test_a_service_is_no_way_out(pods: Kubectl, prober: Prober) -> None:
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "beyond"},
        "spec": {"ports": [{"port": 80, "targetPort": 443}]},
    }
    endpoints = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": "beyond", "labels": {"kubernetes.io/service-name": "beyond"}},
        "addressType": "IPv4",
        "ports": [{"port": 443, "protocol": "TCP"}],
        "endpoints": [{"addresses": [_BEYOND], "conditions": {"ready": True}}],
    }
    pods.apply(service, endpoints)
    address = pods.json("get", "service", "beyond")["spec"]["clusterIP"]
    rules = ("iptables", "--wait", "--table", "nat", "--list-rules")
    translation = f"--to-destination {_BEYOND}:443"
    wait_until(lambda: translation in output(*rules), "the service leads beyond this machine", 60)
    # The firewall's reset comes from an address that the pod did not ask for, so that the pod does not take it.
    assert prober.tcp(address, 80) in ("refused", "silent")
    assert _BEYOND not in Path("/proc/net/nf_conntrack").read_text(), "a packet was let through"


def test_a_stray_service_address_never_leaves_the_machine(prober: Prober) -> None:
    assert prober.tcp(_STRAY_SERVICE, 80) == "refused"
    assert from_the_node("tcp", _STRAY_SERVICE, 80) == "refused"


def test_a_services_name_leads_a_pod_to_it_as_long_as_there_is_one(
    pods: Kubectl, prober: Prober, namespace: str
) -> None:
    address = pods.json("get", "service", "peer")["spec"]["clusterIP"]
    names = ["peer", f"peer.{namespace}", f"peer.{namespace}.svc", f"peer.{namespace}.svc.{CLUSTER_DOMAIN}"]
    assert prober.addresses(*names) == [address] * len(names)
    assert prober.tcp(f"peer.{namespace}.svc", 80) == "open"
    assert prober.addresses("kubernetes.default.svc") == [FIRST_SERVICE_ADDRESS], "another namespace's"
    pods.create(
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "brief"}, "spec": {"ports": [{"port": 1}]}}
    )
    brief = pods.json("get", "service", "brief")["spec"]["clusterIP"]
    wait_until(lambda: prober.addresses("brief") == [brief], "a new name is known", 60)
    pods("delete", "service", "brief")
    wait_until(lambda: prober.addresses("brief") == ["unknown"], "a name goes with its service", 60)


@pytest.mark.meeting_alone  # a meeting's packets are more than the tap can hold
def test_a_name_of_the_outside_is_unknown_at_once_and_nobody_outside_is_asked(prober: Prober) -> None:
    label = f"outside-{secrets.token_hex(8)}"
    with _packets_with(label.encode()) as seen:
        assert prober.seconds_until_unknown(f"{label}.example.org") < 4, "a time-out of the resolver alone is 5 s"
    assert BRIDGE in seen, "the pod's question was seen, so another one would have been"
    assert not [device for device in seen if device not in ("lo", BRIDGE) and not device.startswith("veth")]


@pytest.mark.parametrize("kind", ["tcp", "udp"])
def test_a_pod_reaches_the_dns_at_the_nodes_address_alone(prober: Prober, kind: str) -> None:
    assert prober.tcp(NODE_ADDRESS, DNS_PORT) == "open"
    attempt = prober.tcp if kind == "tcp" else prober.udp
    for address in (*_addresses_of_this_machine(), "10.244.0.1"):
        if address != NODE_ADDRESS:
            assert attempt(address, DNS_PORT) == "refused", address


def _peer(pods: Kubectl) -> dict[str, Any]:
    [found] = pods.json("get", "pods", "--selector=app=peer")["items"]
    return dict(found)


def _deployment(name: str, image: str) -> dict[str, Any]:
    container = {
        "name": "server",
        "image": image,
        "command": ["python", "-m", "http.server", str(_PEER_PORT), "--directory=/tmp"],
        "readinessProbe": {"httpGet": {"path": "/", "port": _PEER_PORT}, "periodSeconds": 1},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    security = {"runAsNonRoot": True, "runAsUser": 10001, "seccompProfile": {"type": "RuntimeDefault"}}
    spec = {
        "terminationGracePeriodSeconds": 0,
        "automountServiceAccountToken": False,
        "securityContext": security,
        "containers": [container],
    }
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": spec}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {"selector": {"matchLabels": labels}, "template": template},
    }


def _addresses(device: str | None = None, *, version: int, scopes: tuple[str, ...]) -> list[str]:
    where = ["dev", device] if device else []
    run = subprocess.run(["ip", "-json", "address", "show", *where], capture_output=True, text=True, check=True)
    family = {4: "inet", 6: "inet6"}[version]
    found = [info for link in json.loads(run.stdout) for info in link.get("addr_info", [])]
    return [info["local"] for info in found if info["family"] == family and info["scope"] in scopes]


def _addresses_of_this_machine(version: int = 4) -> list[str]:
    """Every address under which this machine could be called, its loopback apart, and what a test adds for a moment."""
    return [each for each in _addresses(version=version, scopes=("global",)) if each != PASSING_ADDRESS]


@contextmanager
def _packets_with(text: bytes) -> Iterator[set[str]]:
    """The devices of this machine over which a packet goes during the block that has this text; filled behind it."""
    seen: set[str] = set()
    everything = 0x0003  # ETH_P_ALL: every packet of every device, those that leave too
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(everything)) as tap:
        tap.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 << 20)
        yield seen
        tap.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                packet, sender = tap.recvfrom(1 << 16)
                if text in packet:
                    seen.add(sender[0])


@contextmanager
def _somebody_on(kind: str, port: int) -> Iterator[bool]:
    """Somebody listens on a port of the node's address during the block; true when it is us, who answer."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM) as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            server.bind((NODE_ADDRESS, port))
        except OSError:  # the local meeting runs
            yield False
            return
        if kind == "tcp":
            server.listen()
        else:
            threading.Thread(target=_echo, args=(server,), daemon=True).start()
        yield True


def _echo(server: socket.socket) -> None:
    try:
        while True:
            data, sender = server.recvfrom(1024)
            server.sendto(data, sender)
    except OSError:
        return  # closed: the test is over
