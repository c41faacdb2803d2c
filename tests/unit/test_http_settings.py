"""The HTTP API's flags: what they give, and that nothing is served that would carry tokens readable."""

from __future__ import annotations

from pathlib import Path

import pytest

from meeting_buddy.http_api.settings import WATCHED, Settings, parse
from meeting_buddy.http_api.upstream import READ_KEY
from tests.local.machine.certificates import Authority, Pair, Subject

IN_CLUSTER = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "443"}


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.ensure(tmp_path_factory.mktemp("ca"), "authority of a test")


@pytest.fixture(scope="module")
def pair(authority: Authority) -> Pair:
    return authority.issue("api", Subject("api", dns=("localhost",)))


def read(line: str, authority: Authority, environment: dict[str, str] = IN_CLUSTER) -> Settings:
    """Parse a command line that names the certificate authority."""
    return parse([*line.split(), f"--ca-file={authority.certificate}"], environment)


def refusal(line: str, authority: Authority, capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as found:
        read(line, authority)
    assert found.value.code == 2
    return capsys.readouterr().err.rsplit("error: ", 1)[1]


def test_with_certificate_and_key_it_serves_tls_on_all_addresses(authority: Authority, pair: Pair) -> None:
    found = read(f"--tls-certificate {pair.certificate} --tls-key {pair.key}", authority)
    assert (found.plain, found.host, found.port, found.health_port) == (False, None, 8443, 8080)
    assert (found.tls_certificate, found.tls_key) == (pair.certificate, pair.key)
    assert (found.api_server, found.ca_file) == ("https://10.0.0.1:443", authority.certificate)
    assert (found.default_namespace, found.created_by_policy) == ("", True)


@pytest.mark.parametrize("line", ["--host 127.0.0.1", "--host ::1", "--host localhost", "--tls ingress"])
def test_plain_http_is_served_on_loopback_and_behind_an_ingress(line: str, authority: Authority) -> None:
    assert read(line, authority).plain


@pytest.mark.parametrize("host", [None, "0.0.0.0", "::", "10.1.2.3", "localhost.example.org"])  # noqa: S104
def test_plain_http_elsewhere_is_refused_and_the_way_out_is_named(
    host: str | None, authority: Authority, capsys: pytest.CaptureFixture[str]
) -> None:
    said = refusal(f"--host {host}" if host else "", authority, capsys)
    for word in ("--tls-certificate", "--tls-key", "--tls ingress", "--host 127.0.0.1"):
        assert word in said


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("--tls-certificate {pair.certificate}", "--tls-certificate needs --tls-key"),
        ("--tls-key {pair.key}", "--tls-key needs --tls-certificate"),
        ("--tls-certificate {pair.certificate} --tls-key {pair.key} --tls ingress", "leave --tls-certificate"),
        ("--tls-certificate /nowhere/a.crt --tls-key {pair.key}", "--tls-certificate: cannot read /nowhere/a.crt: No"),
        ("--tls-certificate {pair.certificate} --tls-key /nowhere/a.key", "--tls-key: cannot read /nowhere/a.key: No"),
        ("--tls-certificate {pair.certificate} --tls-key {authority.key}", "are no PEM certificate with its key"),
        ("--tls-certificate {pair.key} --tls-key {pair.key}", "are no PEM certificate with its key"),
        ("--tls ingress --port 0", "'0' is no port"),
        ("--tls ingress --health-port x", "'x' is no port"),
        ("--tls ingress --port 8080", "--health-port has to be another port than --port"),
        ("--tls ingress --api-server http://10.0.0.1:80", "for loopback addresses only"),
        ("--tls ingress --api-server https://10.0.0.1:x", "--api-server: "),
        ("--tls ingress --api-server 10.0.0.1:443", "an address without a path"),
        ("--tls ingress --api-server https://h/path", "an address without a path"),
        ("--tls ingress --default-namespace Team_A", "argument --default-namespace: 'Team_A' is no namespace"),
    ],
)
def test_what_cannot_work_is_said_at_once(
    line: str, says: str, authority: Authority, pair: Pair, capsys: pytest.CaptureFixture[str]
) -> None:
    assert says in refusal(line.format(pair=pair, authority=authority), authority, capsys)


@pytest.mark.parametrize(("content", "says"), [(None, "cannot read"), ("", "holds no PEM certificate")])
def test_an_authority_that_cannot_be_read_is_named(
    content: str | None, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "ca.crt"
    if content is not None:
        path.write_text(content)
    with pytest.raises(SystemExit):
        parse(f"--tls ingress --ca-file {path}".split(), IN_CLUSTER)
    said = capsys.readouterr().err
    assert f"--ca-file: {says} {path}" in said or f"--ca-file: {path} {says}" in said


@pytest.mark.parametrize(
    ("environment", "flag", "expected"),
    [
        ({"KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "6443"}, "", "https://[fd00::1]:6443"),
        (IN_CLUSTER, "--api-server=https://10.9.9.9:6443/", "https://10.9.9.9:6443"),
        ({}, "--api-server=https://k:1", "https://k:1"),
    ],
)
def test_flags_win_over_the_environment(
    environment: dict[str, str], flag: str, expected: str, authority: Authority
) -> None:
    assert read(f"--tls ingress {flag}", authority, environment).api_server == expected


def test_the_namespaces_that_the_operator_watches_are_all_where_none_is_named(authority: Authority) -> None:
    assert read("--tls ingress", authority).watched_namespaces == frozenset()
    found = read("--tls ingress", authority, {**IN_CLUSTER, WATCHED: "team-a,7"})
    assert found.watched_namespaces == {"team-a", "7"}


def test_a_watched_namespace_that_is_no_name_is_refused(
    authority: Authority, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        read("--tls ingress", authority, {**IN_CLUSTER, WATCHED: "team-a,Team_A"})
    assert f"${WATCHED}: 'Team_A' is no namespace" in capsys.readouterr().err


def test_the_key_to_hear_with_may_come_later(authority: Authority) -> None:
    assert read("--tls ingress", authority).read_key == READ_KEY
    assert read("--tls ingress --read-key /nowhere/read", authority).read_key == Path("/nowhere/read")


def test_a_plain_api_server_on_loopback_needs_no_authority() -> None:
    found = parse(["--tls", "ingress", "--api-server", "http://127.0.0.1:8001"], {})
    assert (found.api_server, found.ca_file) == ("http://127.0.0.1:8001", None)


def test_outside_a_cluster_the_api_server_has_to_be_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(["--tls", "ingress"], {})
    assert "--api-server https://HOST:PORT" in capsys.readouterr().err


def test_the_help_says_when_plain_http_is_served(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(["--help"], {})
    said = capsys.readouterr().out
    assert "--tls ingress" in said
    assert all(len(line) <= 120 for line in said.splitlines())
