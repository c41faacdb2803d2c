"""The local cluster's name server, beside a real API server: Services by name at once, no other name, no way out."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.local.cluster.api_only import ApiServer
from tests.local.cluster.components.dns import ClusterDns
from tests.local.cluster.components.pki import Pki
from tests.local.cluster.kubectl import Kubectl
from tests.local.cluster.paths import Paths
from tests.local.machine.dns_query import NO_SUCH_NAME, Answer, ask
from tests.local.machine.process import Identity, Process
from tests.support.awaiting import wait_until
from tests.support.machine_wide import free_port

ADDRESS = "127.0.0.1"
NOWHERE = Answer(NO_SUCH_NAME, ())


@pytest.fixture(scope="module")
def folder(api_server: ApiServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Which dnsmasq can read, without root; pytest's own folders belong to root alone."""
    own = tmp_path_factory.mktemp("dns")
    closed = [each for each in (own, *own.parents) if each.stat().st_uid == os.getuid() and not each.stat().st_mode & 1]
    for each in closed:
        each.chmod(each.stat().st_mode | 0o1)
    yield own
    for each in closed:
        each.chmod(each.stat().st_mode & ~0o1)


@pytest.fixture(scope="module")
def dns(api_server: ApiServer, folder: Path) -> Iterator[ClusterDns]:
    # The certificates are those of the API server's own folder.
    pki = Pki(Paths(api_server.authority.parent.parent), api_server.url)
    server = ClusterDns(Paths(folder), pki, ADDRESS, free_port(), ("setpriv", "--pdeathsig", "KILL"))
    try:
        assert server.start() == "started"
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="module")
def place(kubectl: Kubectl) -> Kubectl:
    kubectl.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "names"}})
    return kubectl.in_namespace("names")


def service(place: Kubectl, name: str, **spec: str) -> str:
    """Make a Service; its address."""
    body = {"ports": [{"port": 80}], **spec}
    place.create({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": body})
    return str(place.json("get", "service", name)["spec"]["clusterIP"])


def found(dns: ClusterDns, name: str) -> Answer:
    return ask(name, dns.address, dns.port)


def test_services_have_names_as_long_as_they_live(dns: ClusterDns, place: Kubectl) -> None:
    name = "reader.names.svc.cluster.local"
    assert found(dns, name) == NOWHERE
    address = service(place, "reader")
    wait_until(lambda: found(dns, name) == Answer(0, (address,)), "the name leads there", 60)
    place("delete", "service", "reader")
    wait_until(lambda: found(dns, name) == NOWHERE, "the name is gone", 60)
    again = service(place, "reader", clusterIP="10.96.70.70")
    wait_until(lambda: found(dns, name) == Answer(0, (again,)), "the name leads to the new one", 60)


def test_a_service_without_an_address_has_no_name(dns: ClusterDns, place: Kubectl) -> None:
    service(place, "headless", clusterIP="None")
    address = service(place, "after-it")
    wait_until(lambda: found(dns, "after-it.names.svc.cluster.local").addresses == (address,), "a later one is known")
    assert found(dns, "headless.names.svc.cluster.local") == NOWHERE


@pytest.mark.parametrize(
    "name", ["example.org", "reader", "names.svc", "nobody.names.svc.cluster.local", "1.0.96.10.in-addr.arpa"]
)
def test_no_other_name_exists_and_it_says_so_at_once(dns: ClusterDns, name: str) -> None:
    assert found(dns, name) == NOWHERE  # `ask` waits two seconds, less than anybody who asks another server


def test_it_listens_on_its_address_alone_and_has_no_other_socket(dns: ClusterDns) -> None:
    found(dns, "example.org")
    pid = server_of(dns).pid
    inodes = {link.removeprefix("socket:[").removesuffix("]") for link in links(pid) if link.startswith("socket:")}
    held = {
        (kind, fields[1])
        for kind in ("udp", "tcp", "udp6", "tcp6", "raw", "packet")
        for fields in (line.split() for line in Path(f"/proc/net/{kind}").read_text().splitlines()[1:])
        if inodes & set(fields[8:10])
    }
    own = f"{int.from_bytes(socket.inet_aton(dns.address), 'little'):08X}:{dns.port:04X}"
    assert held == {("udp", own), ("tcp", own)}
    assert Path(f"/proc/{pid}").stat().st_uid != 0


def test_a_second_start_adopts_it_and_one_that_died_comes_back(dns: ClusterDns, place: Kubectl) -> None:
    assert dns.start() == "adopted"
    before = server_of(dns)
    Process("cluster-dns-names", (), dns.paths.logs / "x", dns.paths.processes).stop()
    assert not dns.ready()
    address = service(place, "meanwhile")
    assert dns.start() == "started"
    assert server_of(dns) == before
    name = "meanwhile.names.svc.cluster.local"
    wait_until(lambda: found(dns, name).addresses == (address,), "what was made meanwhile is known", 60)


def server_of(dns: ClusterDns) -> Identity:
    identity = Process("cluster-dns", (), dns.paths.logs / "x", dns.paths.processes).find()
    assert identity is not None
    return identity


def links(pid: int) -> list[str]:
    return [str(each.readlink()) for each in Path(f"/proc/{pid}/fd").iterdir()]
