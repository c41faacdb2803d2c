"""The HTTP API's flags. Flags win over the environment; what is wrong is said before anything is opened."""

import argparse
import ipaddress
import os
import re
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from meeting_buddy.http_api.readers import READERS
from meeting_buddy.http_api.upstream import READ_KEY
from meeting_buddy.resource.config_files import INSTALLATION, TABLES
from meeting_buddy.resource.session import DNS_NAME

CA_FILE: Final = Path("/etc/meeting-buddy/kubernetes-ca/ca.crt")
"""Where the chart mounts the ConfigMap ``kube-root-ca.crt``: the API server's certificate authority."""

WATCHED: Final = "MEETING_BUDDY_WATCHED_NAMESPACES"
"""Environment variable: namespaces with commas between."""

_EPILOG: Final = f"""\
Callers' tokens travel in each request, so plain HTTP is served in two cases only: on a loopback address (--host
127.0.0.1), and where you say that something in front ends TLS (--tls ingress). Certificate and key are read again
when the files change. /healthz, /readyz and /metrics are plain HTTP on --health-port.

${WATCHED} names, with commas between, the namespaces that the operator watches and the
admission policy guards (default: all of them).
"""


@dataclass(frozen=True, slots=True)
class Settings:
    """How this process runs."""

    host: str | None
    """``None``: all addresses, of IPv4 and IPv6."""
    port: int
    health_port: int
    tls_certificate: Path | None
    """PEM, the chain behind it included; with ``tls_key``, or neither."""
    tls_key: Path | None
    plain: bool
    """Serve plain HTTP: on loopback, or because something in front ends TLS."""
    api_server: str
    """``https://HOST:PORT``, without a path; ``http`` on loopback only."""
    ca_file: Path | None
    """PEM; ``None`` where ``api_server`` is plain HTTP."""
    default_namespace: str
    """Of callers that name none and have none of their own; empty: they have to name one."""
    read_key: Path
    """The key that reads bots' transcripts; need not be there yet, and is read for each stream."""
    readers: str
    """Where a namespace's reader of recordings is, with ``{namespace}`` in it."""
    installation: Path
    tables: tuple[Path, ...]
    created_by_policy: bool
    """The chart's admission policy guards the annotation ``created-by``, so that it can be believed."""
    watched_namespaces: frozenset[str]
    """Those that the operator watches and the chart's admission policy guards; empty: all."""
    log_level: str


def parse(arguments: Sequence[str], environment: Mapping[str, str] = os.environ) -> Settings:
    """Read flags and environment, and open each file that is needed to serve.

    Raises:
        SystemExit: wrong usage or an unreadable file, as argparse does it: one sentence that names the flag.
    """
    parser = _parser()
    found = parser.parse_args(arguments)
    if found.port == found.health_port:
        parser.error("--health-port has to be another port than --port")
    plain = _plain(parser, found)
    server = _api_server(parser, found.api_server, environment)
    ca_file = found.ca_file if server.startswith("https:") else None
    if ca_file is not None:
        _check_ca(parser, ca_file)
    return Settings(
        host=found.host,
        port=found.port,
        health_port=found.health_port,
        tls_certificate=found.tls_certificate,
        tls_key=found.tls_key,
        plain=plain,
        api_server=server,
        ca_file=ca_file,
        default_namespace=found.default_namespace,
        read_key=found.read_key,
        readers=found.readers,
        installation=found.installation,
        tables=tuple(found.tables) or TABLES,
        created_by_policy=found.created_by_policy,
        watched_namespaces=_watched(parser, environment),
        log_level=found.log_level,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m meeting_buddy.http_api",
        description="Meeting Buddy's HTTP API: starts and follows sessions with each caller's own Kubernetes token.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    door = parser.add_argument_group("where it is served")
    door.add_argument("--host", help="address of all ports (default: all addresses, IPv4 and IPv6)")
    door.add_argument("--port", type=_port, default=8443, help="port of the API (default: %(default)s)")
    door.add_argument(
        "--health-port",
        type=_port,
        default=8080,
        help="plain port of /healthz, /readyz and /metrics (default: %(default)s)",
    )
    door.add_argument("--tls-certificate", type=Path, metavar="FILE", help="PEM certificate and its chain")
    door.add_argument("--tls-key", type=Path, metavar="FILE", help="PEM private key of the certificate")
    door.add_argument(
        "--tls",
        choices=("files", "ingress"),
        default="files",
        help="who ends TLS: this process with the two files (default), or an Ingress or a mesh in front of it",
    )
    upstream = parser.add_argument_group("Kubernetes")
    upstream.add_argument(
        "--api-server",
        metavar="URL",
        help="https://HOST:PORT (default: of $KUBERNETES_SERVICE_HOST and $KUBERNETES_SERVICE_PORT)",
    )
    upstream.add_argument(
        "--ca-file",
        type=Path,
        default=CA_FILE,
        metavar="FILE",
        help="certificate authority of the API server, PEM (default: %(default)s)",
    )
    upstream.add_argument(
        "--default-namespace",
        type=_namespace,
        default="",
        metavar="NAME",
        help="of callers that name none and are no service accounts (default: none, they have to name one)",
    )
    upstream.add_argument(
        "--created-by-policy",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="the chart's admission policy is installed, so user_id can be told from an annotation",
    )
    parser.add_argument(
        "--read-key",
        type=Path,
        default=READ_KEY,
        metavar="FILE",
        help="key for reading bots' transcripts, made by the operator; may come later (default: %(default)s)",
    )
    parser.add_argument(
        "--readers",
        type=_readers,
        default=READERS,
        metavar="URL",
        help="where a namespace's reader of recordings is, with {namespace} in it (default: %(default)s)",
    )
    parser.add_argument(
        "--installation", type=Path, default=INSTALLATION, metavar="FILE", help="bot classes and self-hosted hosts"
    )
    parser.add_argument(
        "--tables",
        type=Path,
        action="append",
        default=[],
        metavar="FOLDER",
        help="folder of platform tables; repeatable, as the operator's",
    )
    parser.add_argument("--log-level", default="INFO", choices=("DEBUG", "INFO", "WARNING", "ERROR"))
    return parser


def _port(text: str) -> int:
    if text.isdecimal() and 0 < int(text) < 65536:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is no port: give a number from 1 to 65535")


def _namespace(text: str) -> str:
    if not text or re.fullmatch(DNS_NAME, text):
        return text
    raise argparse.ArgumentTypeError(f"{text!r} is no namespace")


def _watched(parser: argparse.ArgumentParser, environment: Mapping[str, str]) -> frozenset[str]:
    try:
        return frozenset(_namespace(each) for each in environment.get(WATCHED, "").split(",") if each)
    except argparse.ArgumentTypeError as error:
        parser.error(f"${WATCHED}: {error}")


def _readers(text: str) -> str:
    try:
        url = urlsplit(text.format(namespace="n"))
        _ = url.port  # raises ValueError when it is no number
    except (ValueError, LookupError):
        url = urlsplit("")
    if url.scheme in ("http", "https") and url.hostname and not url.path.strip("/") and not url.query:
        return text.rstrip("/")
    raise argparse.ArgumentTypeError(f"{text!r} is no address such as {READERS}")


def _plain(parser: argparse.ArgumentParser, found: argparse.Namespace) -> bool:
    """Whether plain HTTP is served; refuses combinations that would send tokens readable over a network."""
    certificate, key = found.tls_certificate, found.tls_key
    if (certificate is None) != (key is None):
        given, missing = ("--tls-key", "--tls-certificate") if key else ("--tls-certificate", "--tls-key")
        parser.error(f"{given} needs {missing}: TLS takes a certificate and its key")
    if certificate is not None:
        if found.tls == "ingress":
            parser.error("--tls ingress means that no TLS ends here: leave --tls-certificate and --tls-key out")
        _check_pair(parser, certificate, key)
        return False
    if found.tls != "ingress" and not _is_loopback(found.host):
        where = found.host or "all addresses"
        parser.error(
            f"plain HTTP on {where} would carry callers' tokens readable: give --tls-certificate and --tls-key, "
            "or --tls ingress if an Ingress or a mesh in front ends TLS, or --host 127.0.0.1"
        )
    return True


def _is_loopback(host: str | None) -> bool:
    try:
        return host is not None and (host == "localhost" or ipaddress.ip_address(host).is_loopback)
    except ValueError:
        return False


def _check_pair(parser: argparse.ArgumentParser, certificate: Path, key: Path) -> None:
    for flag, path in (("--tls-certificate", certificate), ("--tls-key", key)):
        _check_readable(parser, flag, path)
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key)
    except (OSError, ValueError) as error:
        parser.error(f"{certificate} and {key} are no PEM certificate with its key: {error}")


def _check_ca(parser: argparse.ArgumentParser, path: Path) -> None:
    _check_readable(parser, "--ca-file", path)
    try:
        ssl.create_default_context(cafile=path)
    except (OSError, ValueError) as error:
        parser.error(f"--ca-file: {path} holds no PEM certificate: {error}")


def _check_readable(parser: argparse.ArgumentParser, flag: str, path: Path) -> None:
    try:
        path.read_bytes()
    except OSError as error:
        parser.error(f"{flag}: cannot read {path}: {error.strerror}")


def _api_server(parser: argparse.ArgumentParser, given: str | None, environment: Mapping[str, str]) -> str:
    host, port = environment.get("KUBERNETES_SERVICE_HOST"), environment.get("KUBERNETES_SERVICE_PORT")
    if given is None:
        if not host or not port:
            parser.error("outside a cluster give --api-server https://HOST:PORT: $KUBERNETES_SERVICE_HOST is not set")
        return f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
    try:
        url = urlsplit(given)
        _ = url.port  # raises ValueError when it is no number
    except ValueError as error:
        parser.error(f"--api-server: {error}")
    if url.scheme not in ("http", "https") or not url.hostname or url.path.strip("/") or url.query or url.username:
        parser.error("--api-server is an address without a path, such as https://10.0.0.1:6443")
    if url.scheme == "http" and not _is_loopback(url.hostname):
        parser.error("--api-server: http would carry callers' tokens readable; it is for loopback addresses only")
    return f"{url.scheme}://{url.netloc}"
