"""What an API server says it was asked (``apiserver_request_total``), without what the bench's own script asks."""

from __future__ import annotations

import re
from collections import Counter

SCRIPTED = {("POST", "meetingsessions", ""), ("PATCH", "pods", "status"), ("POST", "pods", "binding")}
"""Verb, resource and subresource of the writes that author, scheduler and kubelet make."""
_RESOURCES = ("pods", "secrets", "meetingsessions")
_WRITES = ("POST", "PUT", "PATCH", "APPLY", "DELETE")
_READS = ("GET", "LIST")
_SAMPLE = re.compile(r"^apiserver_request_total\{(.*)\} (\S+)$", re.MULTILINE)
_LABEL = re.compile(r'(\w+)="([^"]*)"')

Request = tuple[str, str, str]


def requests(page: str) -> Counter[Request]:
    """Requests by verb, resource and subresource; dry runs left out, refused ones not."""
    found: Counter[Request] = Counter()
    for labels, value in _SAMPLE.findall(page):
        known = dict(_LABEL.findall(labels))
        if not known["dry_run"]:
            found[known["verb"], known["resource"], known["subresource"]] += int(float(value))
    return found


def writes(found: Counter[Request]) -> int:
    """Writes of pods, Secrets and sessions, but the script's own."""
    return sum(count for key, count in found.items() if _is(key, _WRITES, _RESOURCES) and key not in SCRIPTED)


def reads(found: Counter[Request]) -> int:
    """Reads of the same; watches are not among them."""
    return sum(count for key, count in found.items() if _is(key, _READS, (*_RESOURCES, "events")))


def events(found: Counter[Request]) -> int:
    """Events that were written."""
    return sum(count for key, count in found.items() if _is(key, _WRITES, ("events",)))


def _is(request: Request, verbs: tuple[str, ...], resources: tuple[str, ...]) -> bool:
    return request[0] in verbs and request[1] in resources
