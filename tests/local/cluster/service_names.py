"""Keeps a hosts file in step with the cluster's Services: a process of its own, out of the standard library alone.

Runs as a copy under the cluster's root, under Debian's Python, so that it needs no clone: see `components/dns.py`.
It lists the Services, then watches; when the watch ends or the API server is away, what is known stays, and it begins
anew. Headless Services and external names are left out: nothing here has any.
"""

from __future__ import annotations

import argparse
import json
import ssl
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

WATCH_SECONDS = 240
"""For which the API server keeps a watch open."""
PAUSE_SECONDS = 0.5
"""Before a new attempt."""
_PATH = "/api/v1/services"


def hosts(addresses: dict[str, str]) -> str:
    """The file: a line for each Service, address by full name."""
    return "".join(f"{address} {name}\n" for name, address in sorted(addresses.items()))


def full_name(service: dict[str, Any], domain: str) -> str:
    """`<service>.<namespace>.svc.<domain>`."""
    metadata = service["metadata"]
    return f"{metadata['name']}.{metadata['namespace']}.svc.{domain}"


def address_of(service: dict[str, Any]) -> str | None:
    """Its own address, if it has one."""
    address = service["spec"].get("clusterIP", "")
    return None if address in ("", "None") else str(address)


def changed(addresses: dict[str, str], event: dict[str, Any], domain: str) -> dict[str, str]:
    """The addresses after an event of the watch. Raises `OSError` for one that ends it."""
    service = event["object"]
    if event["type"] == "ERROR":
        raise OSError(service.get("message", "the watch was ended"))
    if event["type"] == "BOOKMARK":
        return addresses
    name, address = full_name(service, domain), address_of(service)
    others = {each: found for each, found in addresses.items() if each != name}
    return others if event["type"] == "DELETED" or address is None else {**others, name: address}


def write(path: Path, addresses: dict[str, str]) -> None:
    """Replace the file in one stroke, unless nothing changed; the name server sees that it did."""
    text = hosts(addresses)
    if path.exists() and path.read_text() == text:
        return
    aside = path.with_name(f".{path.name}.new")  # it passes over names that begin with a dot
    aside.write_text(text)
    aside.rename(path)


def follow(server: str, context: ssl.SSLContext, path: Path, domain: str) -> None:
    """List, then watch until the watch ends. Raises `OSError` or `ValueError` when it breaks."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
    with opener.open(server + _PATH, timeout=10) as response:
        listed = json.load(response)
    found = {full_name(each, domain): address_of(each) for each in listed["items"]}
    addresses = {name: address for name, address in found.items() if address is not None}
    write(path, addresses)
    version = listed["metadata"]["resourceVersion"]
    query = f"?watch=1&resourceVersion={version}&timeoutSeconds={WATCH_SECONDS}"
    with opener.open(server + _PATH + query, timeout=WATCH_SECONDS + 30) as lines:
        for event in _events(lines):
            addresses = changed(addresses, event, domain)
            write(path, addresses)


def _events(lines: Any) -> Iterator[dict[str, Any]]:
    for line in lines:
        yield json.loads(line)


def main() -> None:
    """Run until a signal ends it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server", required=True, help="the API server's URL")
    parser.add_argument("--domain", required=True, help="the cluster's domain")
    for name in ("authority", "certificate", "key", "hosts"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    asked = parser.parse_args()
    context = ssl.create_default_context(cafile=asked.authority)
    context.load_cert_chain(asked.certificate, asked.key)
    while True:
        try:
            follow(asked.server, context, asked.hosts, asked.domain)
        except (OSError, ValueError) as error:
            print(f"{error}; beginning anew", file=sys.stderr, flush=True)
        time.sleep(PAUSE_SECONDS)


if __name__ == "__main__":
    main()
