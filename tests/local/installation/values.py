"""Chart values for the local cluster: small requests, the local meeting's host and certificate authority."""

from __future__ import annotations

from typing import Any

from tests.local.meetings.livekit.paths import ADDRESS, HOST, TLS_PORT

STORAGE_CLASS = "meeting-buddy-local"
CLAIM = "meeting-buddy-recordings"
CA_CONFIG_MAP = "meeting-ca"
_SMALL = {"cpu": "200m", "memory": "512Mi", "memoryLimit": "4Gi"}


def bot_class(**changes: Any) -> dict[str, Any]:
    """The class that bots of the local cluster run under; ``changes`` replace fields of it."""
    return {
        "resources": {"audio": _SMALL, "720p": _SMALL, "1080p": _SMALL},
        "hostAliases": [{"ip": ADDRESS, "hostnames": [HOST]}],
        "extraCa": {"configMap": CA_CONFIG_MAP, "key": "ca.crt"},
        "transcription": {"cpu": "100m", "memory": "512Mi"},
        "timeouts": {"startupTimeoutSeconds": 120, "graceSeconds": 60},
        **changes,
    }


def local_values(
    operator_image: str, bot_image: str, namespaces: list[str], *, api: dict[str, Any] | None = None, **classes: Any
) -> dict[str, Any]:
    """Values for ``helm install``; ``api`` are those of the HTTP API, ``classes`` bot classes beside ``default``."""
    return {
        "watchNamespaces": namespaces,
        "operator": {"image": _image(operator_image), "nodeSelector": {"kubernetes.io/os": "linux"}},
        "bot": {"image": _image(bot_image)},
        "botClasses": {"default": bot_class(), **classes},
        "selfHosted": {"hosts": [{"platform": "LiveKit", "host": HOST, "port": TLS_PORT}]},
        "api": api or {"enabled": False},
        "storage": {"storageClassName": STORAGE_CLASS, "size": "1Gi"},
    }


def _image(reference: str) -> dict[str, str]:
    repository, _, tag = reference.rpartition(":")
    return {"repository": repository, "tag": tag}


__all__ = ["CA_CONFIG_MAP", "CLAIM", "STORAGE_CLASS", "bot_class", "local_values"]
