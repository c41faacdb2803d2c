"""The operator's flags. Flags win over the environment."""

import argparse
import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from meeting_buddy.resource.config_files import INSTALLATION, TABLES

SERVICE_ACCOUNT_NAMESPACE: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


@dataclass(frozen=True, slots=True)
class Settings:
    """How this process runs."""

    namespaces: tuple[str, ...]
    """Empty: all namespaces."""
    own_namespace: str
    identity: str
    """Who we are in the Lease; a restarted container of the same pod is the same contender."""
    kubeconfig: str | None
    installation: Path
    tables: tuple[Path, ...]
    host: str | None
    """``None``: all addresses, of IPv4 and IPv6."""
    port: int
    log_level: str


def add_scope(parser: argparse.ArgumentParser, does: str) -> None:
    """Flags for where a program works, and where its operator lives; ``does``: what it does in a namespace."""
    scope = parser.add_mutually_exclusive_group(required=True)
    scope.add_argument("--namespace", action="append", default=[], metavar="NAME", help=f"{does} this one; repeatable")
    scope.add_argument("--all-namespaces", action="store_true", help=f"{does} all of them (needs cluster-wide roles)")
    parser.add_argument("--own-namespace", help="where Lease and bot key live (default: $POD_NAMESPACE, or the pod's)")
    parser.add_argument("--kubeconfig", help="reach the API server as this file says (default: the service account)")


def own_namespace(given: str | None, environment: Mapping[str, str] = os.environ) -> str:
    """The operator's own namespace; ``given``: the flag of :func:`add_scope`."""
    return given or environment.get("POD_NAMESPACE") or _pod_namespace()


def parse(arguments: Sequence[str], environment: Mapping[str, str] = os.environ) -> Settings:
    """Read flags and environment.

    Raises:
        SystemExit: wrong usage, as argparse does it.
    """
    parser = argparse.ArgumentParser(
        prog="python -m meeting_buddy.app",
        description="The Meeting Buddy operator: runs a bot for each MeetingSession.",
    )
    add_scope(parser, "watch")
    parser.add_argument("--identity", help="name in the Lease (default: $POD_NAME, or the host's name)")
    parser.add_argument("--installation", type=Path, default=INSTALLATION, help="bot classes and self-hosted hosts")
    parser.add_argument(
        "--tables",
        type=Path,
        action="append",
        default=[],
        help="folder of platform tables; repeatable: the first is built in, later ones override or replace its tables",
    )
    parser.add_argument("--host", help="address of /healthz, /readyz and /metrics (default: all, IPv4 and IPv6)")
    parser.add_argument("--port", type=int, default=8080, help="port of the same")
    parser.add_argument("--log-level", default="INFO", choices=("DEBUG", "INFO", "WARNING", "ERROR"))
    found = parser.parse_args(arguments)
    return Settings(
        namespaces=tuple(found.namespace),
        own_namespace=own_namespace(found.own_namespace, environment),
        identity=found.identity or environment.get("POD_NAME") or socket.gethostname(),
        kubeconfig=found.kubeconfig,
        installation=found.installation,
        tables=tuple(found.tables) or TABLES,
        host=found.host,
        port=found.port,
        log_level=found.log_level,
    )


def _pod_namespace() -> str:
    try:
        return SERVICE_ACCOUNT_NAMESPACE.read_text().strip()
    except OSError:
        return "default"
