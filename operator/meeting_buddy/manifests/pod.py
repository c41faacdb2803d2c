"""A session's pod: container ``bot`` and, as restartable sidecar, ``browser``; passes "restricted" pod security.

A finisher's pod is the same without everything that a meeting needs: it finishes what is on the volume.

The browser eats untrusted pages, so it has neither the Secret nor the volume; the pod has no API token. What is secret
is in the mounted Secrets only: nothing in this manifest, which many may read, is worth stealing.
"""

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any, Final, NamedTuple

from meeting_buddy.contract import identity
from meeting_buddy.contract.assignment import (
    ASSIGNMENT_FILE,
    CA_FOLDER,
    DIGEST_VARIABLE,
    LINK_FILE,
    PASSCODE_FILE,
    RECORDINGS,
    TRANSCRIPTION_KEY_FILE,
)
from meeting_buddy.contract.report import PORT
from meeting_buddy.manifests.bot_pod_input import BotPodInput
from meeting_buddy.manifests.quantity import add_bytes, add_cpu, split_bytes, split_cpu
from meeting_buddy.resource.bot_class import Resources, ServerKey, TranscriptionServer
from meeting_buddy.resource.model import ConfigModel
from meeting_buddy.resource.session import SecretLink, SecretPasscode

HOME: Final = "/home/buddy"
BOT_ENV: Final = {"HOME": HOME}
"""What a class cannot set."""
AWAY_SECONDS: Final = 900
"""How long a node may be not ready or unreachable before its pods are given up: most failures are shorter."""

RECORDINGS_VOLUME: Final = "recordings"
_SOCKETS: Final = (
    {"name": "x11", "mountPath": "/tmp/.X11-unix"},  # noqa: S108 -- X11 clients look there and nowhere else
    {"name": "run", "mountPath": "/run/mb"},
    {"name": "shm", "mountPath": "/dev/shm"},  # noqa: S108 -- shared pictures between X server and browser
)

_DIGEST: Final = {
    "name": DIGEST_VARIABLE,
    "valueFrom": {"fieldRef": {"fieldPath": f"metadata.annotations['{identity.ANNOTATION_ASSIGNMENT}']"}},
}


def session_pod(pod_input: BotPodInput, annotations: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Manifest of the pod; ``annotations``: what it says of its assignment."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": _metadata(pod_input, annotations or {}),
        "spec": _spec(pod_input) | _placement(pod_input),
    }


def _metadata(pod_input: BotPodInput, own: Mapping[str, str]) -> dict[str, Any]:
    annotations = {
        "cluster-autoscaler.kubernetes.io/safe-to-evict": "false",
        "karpenter.sh/do-not-disrupt": "true",
        "kubectl.kubernetes.io/default-container": "bot",
    }
    return {
        "name": pod_input.name,
        "namespace": pod_input.namespace,
        "labels": {**pod_input.bot_class.labels, **pod_input.labels()},
        "annotations": {**annotations, **pod_input.bot_class.annotations, **own},
        "ownerReferences": pod_input.owner_references(),
        "finalizers": [identity.FINALIZER_OUTCOME],
    }


def _spec(pod_input: BotPodInput) -> dict[str, Any]:
    timeouts, meets = pod_input.bot_class.timeouts, pod_input.meets
    slack = timeouts.startup_timeout_seconds + timeouts.finish_seconds + timeouts.grace_seconds
    return {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": timeouts.grace_seconds,
        # The bot keeps the session's deadline itself, from its own start; the kubelet's comes after, also when the
        # bot hangs and the operator is down. It counts from the pod's acceptance, so images may take their time.
        "activeDeadlineSeconds": (pod_input.spec.active_deadline_seconds if meets else 0) + slack,
        "securityContext": _pod_security(pod_input),
        **({"initContainers": [_browser(pod_input)]} if meets else {}),
        "containers": [_bot(pod_input)],
        "volumes": _volumes(pod_input),
    }


def _pod_security(pod_input: BotPodInput) -> dict[str, Any]:
    """Without what the class leaves out: a cluster such as OpenShift fills it in."""
    security, group = pod_input.bot_class.security, pod_input.bot_class.storage.fs_group
    found: dict[str, Any] = {"runAsNonRoot": True}
    if security.run_as_user is not None:
        found |= {"runAsUser": security.run_as_user, "runAsGroup": 0}
    if group is not None:
        found["fsGroup"] = group
    # Also for a group that the cluster sets: to walk through all recordings would take minutes.
    found["fsGroupChangePolicy"] = "OnRootMismatch"
    if security.seccomp_profile is not None:
        found["seccompProfile"] = {"type": security.seccomp_profile}
    return found


def _bot(pod_input: BotPodInput) -> dict[str, Any]:
    mounts: list[dict[str, Any]] = [
        {"name": "assignment", "mountPath": str(ASSIGNMENT_FILE.parent), "readOnly": True},
        *(each.mount() for each in _users_secrets(pod_input)),
        {
            "name": RECORDINGS_VOLUME,
            "mountPath": str(RECORDINGS),
            "subPath": identity.volume_path(pod_input.namespace, pod_input.session_id),
        },
        *_model_mounts(pod_input),
        *(_ca_mounts(pod_input) if _server(pod_input) is not None else ()),
        {"name": "bot-tmp", "mountPath": "/tmp"},  # noqa: S108 -- the root file system is read-only
        {"name": "bot-home", "mountPath": HOME},
        *(_SOCKETS if pod_input.meets else ()),
    ]
    ready = {"readinessProbe": _http("/readyz", period=2, failures=2)} if pod_input.meets else {}
    return {
        "name": "bot",
        **_image(pod_input),
        # tini: PID 1 gets no signal that it has no handler for, so a SIGTERM while Python starts would be lost, and the
        # pod would stay for its whole grace period. It also reaps what a killed browser or sound server leaves.
        "command": ["tini", "--", "meeting-buddy-bot", *([] if pod_input.meets else ["finish"])],
        "env": [*_env(pod_input, BOT_ENV, without=DIGEST_VARIABLE), *_secret_env(pod_input), _DIGEST],
        "ports": [{"name": "report", "containerPort": PORT, "protocol": "TCP"}],
        "startupProbe": _http("/livez", period=1, failures=120),
        "livenessProbe": _http("/livez", period=10, failures=6),
        **ready,
        "resources": _resources(pod_input)[1],
        "securityContext": _container_security(),
        "volumeMounts": mounts,
    }


def _browser(pod_input: BotPodInput) -> dict[str, Any]:
    mounts: list[dict[str, Any]] = [
        *_ca_mounts(pod_input),
        {"name": "browser-tmp", "mountPath": "/tmp"},  # noqa: S108 -- the root file system is read-only
        {"name": "browser-home", "mountPath": HOME},
        *_SOCKETS,
    ]
    security, profile = _container_security(), pod_input.bot_class.sandbox.seccomp_profile
    if profile is not None:
        security["seccompProfile"] = {"type": "Localhost", "localhostProfile": profile}
    env = {"HOME": HOME, "DISPLAY": ":99", "PULSE_SERVER": "unix:/run/mb/pulse"}
    return {
        "name": "browser",
        # A sidecar: starts first, dies last, restarts alone. Its exec probe is what makes the order mean anything, and
        # it is exec because chromedriver listens on the pod's loopback only.
        "restartPolicy": "Always",
        **_image(pod_input),
        "command": ["tini", "--", "meeting-buddy-browser"],
        "env": _env(pod_input, env),
        "startupProbe": {
            "exec": {"command": ["meeting-buddy-browser-ready"]},
            "periodSeconds": 1,
            "timeoutSeconds": 5,
            "failureThreshold": 120,
        },
        "resources": _resources(pod_input)[0],
        "securityContext": security,
        "volumeMounts": mounts,
    }


def _image(pod_input: BotPodInput) -> dict[str, str]:
    return {"image": pod_input.bot_class.image, "imagePullPolicy": pod_input.bot_class.image_pull_policy}


def _env(pod_input: BotPodInput, own: dict[str, str], without: str = "") -> list[dict[str, Any]]:
    given = {**pod_input.bot_class.env, **own}
    return [{"name": name, "value": value} for name, value in given.items() if name != without]


def _secret_env(pod_input: BotPodInput) -> list[dict[str, Any]]:
    return [
        {"name": each.name, "valueFrom": {"secretKeyRef": {"name": each.secret, "key": each.key}}}
        for each in pod_input.bot_class.secret_env
        if each.name not in (*BOT_ENV, DIGEST_VARIABLE)
    ]


def _http(path: str, *, period: int, failures: int) -> dict[str, Any]:
    return {
        "httpGet": {"path": path, "port": PORT},
        "periodSeconds": period,
        "timeoutSeconds": 3,
        "failureThreshold": failures,
    }


def _container_security() -> dict[str, Any]:
    return {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def _resources(pod_input: BotPodInput) -> tuple[dict[str, Any], dict[str, Any]]:
    """Browser's and bot's share. No CPU limit unless the class asks for one: a throttled recorder drops frames.

    Where processors are short, the kernel shares them out by the requests. A transcript is made in container ``bot``;
    its CPU is shared out like the rest, so that the browser comes off as well as without one. In ``bot`` the recorder
    goes before the transcriber, which is niced.
    """
    asked = _profile(pod_input)
    requests = {"cpu": asked.cpu, "memory": asked.memory, "ephemeral-storage": asked.ephemeral_storage}
    limits = {"cpu": asked.cpu_limit, "memory": asked.memory_limit, "ephemeral-storage": asked.ephemeral_storage_limit}
    browser, bot = (
        {"requests": _part(requests, asked, container), "limits": _part(limits, asked, container)}
        for container in (0, 1)
    )
    engine = pod_input.bot_class.transcription
    if pod_input.spec.transcription.enabled and engine.engine:
        if pod_input.meets:
            both, most = add_cpu(asked.cpu, engine.cpu), browser["limits"].get("cpu")
            browser["requests"]["cpu"], bot["requests"]["cpu"] = split_cpu(both, asked.browser_share, most)
        else:  # there is no browser
            bot["requests"]["cpu"] = add_cpu(bot["requests"]["cpu"], engine.cpu)
        for part in (bot["requests"], bot["limits"]):
            part["memory"] = add_bytes(part["memory"], engine.memory)
        if "cpu" in bot["limits"]:
            bot["limits"]["cpu"] = add_cpu(bot["limits"]["cpu"], engine.cpu)
    return browser, bot


def _part(quantities: Mapping[str, str | None], asked: Resources, container: int) -> dict[str, str]:
    """The browser's (0) or the bot's (1) part of each quantity that is set."""
    return {
        name: (split_cpu if name == "cpu" else split_bytes)(quantity, asked.browser_share)[container]
        for name, quantity in quantities.items()
        if quantity is not None
    }


def _profile(pod_input: BotPodInput) -> Resources:
    recording, profiles = pod_input.spec.recording, pod_input.bot_class.resources
    if not recording.enabled or recording.video == "none":
        return profiles.audio
    return profiles.video1080p if recording.video == "1080p" else profiles.video720p


class _UsersSecret(NamedTuple):
    """A key of a Secret that is not ours, which the kubelet mounts as one file into container ``bot`` alone."""

    volume_name: str
    file: PurePosixPath
    reference: SecretLink | SecretPasscode | ServerKey

    def volume(self) -> dict[str, Any]:
        items = [{"key": self.reference.key, "path": self.file.name}]
        secret = {"secretName": self.reference.name, "items": items, "defaultMode": 0o440}
        return {"name": self.volume_name, "secret": secret}

    def mount(self) -> dict[str, Any]:
        return {"name": self.volume_name, "mountPath": str(self.file.parent), "readOnly": True}


def _users_secrets(pod_input: BotPodInput) -> list[_UsersSecret]:
    """What session and bot class keep in Secrets; :mod:`startup_causes` knows the volumes by their names."""
    link, passcode = pod_input.spec.meeting_link_secret_ref, pod_input.spec.passcode_secret_ref
    server = _server(pod_input)
    found = []
    if not pod_input.meets:
        link = passcode = None
    if link is not None:
        found.append(_UsersSecret("link", LINK_FILE, link))
    if passcode is not None:
        found.append(_UsersSecret("passcode", PASSCODE_FILE, passcode))
    if server is not None and server.key_secret is not None:
        found.append(_UsersSecret("transcription-key", TRANSCRIPTION_KEY_FILE, server.key_secret))
    return found


def _server(pod_input: BotPodInput) -> TranscriptionServer | None:
    """The server that the bot is going to ask."""
    return pod_input.bot_class.transcription.server if pod_input.spec.transcription.enabled else None


def _ca_mounts(pod_input: BotPodInput) -> list[dict[str, Any]]:
    if pod_input.bot_class.extra_ca is None:
        return []
    return [{"name": "ca", "mountPath": str(CA_FOLDER), "readOnly": True}]


def _model_claim(pod_input: BotPodInput) -> str | None:
    """The claim of the model that the bot is going to load, if it is not in the image."""
    engine = pod_input.bot_class.transcription
    loads = pod_input.spec.transcription.enabled and engine.model is not None and engine.server is None
    return engine.model_claim if loads else None


def _model_mounts(pod_input: BotPodInput) -> list[dict[str, Any]]:
    if _model_claim(pod_input) is None:
        return []
    return [{"name": "model", "mountPath": pod_input.bot_class.transcription.model, "readOnly": True}]


def _volumes(pod_input: BotPodInput) -> list[dict[str, Any]]:
    memory = {"medium": "Memory"}
    found: list[dict[str, Any]] = [
        {"name": "assignment", "secret": {"secretName": pod_input.name, "defaultMode": 0o440}},
        {"name": RECORDINGS_VOLUME, "persistentVolumeClaim": {"claimName": pod_input.bot_class.storage.claim}},
        *({"name": name, "emptyDir": {}} for name in ("bot-tmp", "bot-home")),
    ]
    if pod_input.meets:
        found += ({"name": name, "emptyDir": {}} for name in ("browser-tmp", "browser-home"))
        sizes = {"x11": "1Mi", "run": "16Mi", "shm": "512Mi"}
        found += ({"name": name, "emptyDir": memory | {"sizeLimit": size}} for name, size in sizes.items())
    found += (each.volume() for each in _users_secrets(pod_input))
    if (claim := _model_claim(pod_input)) is not None:
        found.append({"name": "model", "persistentVolumeClaim": {"claimName": claim, "readOnly": True}})
    extra = pod_input.bot_class.extra_ca
    if extra is not None:
        name = extra.key if extra.key.endswith(".crt") else f"{extra.key}.crt"
        found.append(
            {"name": "ca", "configMap": {"name": extra.config_map, "items": [{"key": extra.key, "path": name}]}}
        )
    return found


def _placement(pod_input: BotPodInput) -> dict[str, Any]:
    """Where the administrator wants it; keys without a value are left out, so that the pod shows what was chosen."""
    chosen = pod_input.bot_class
    away = [
        {
            "key": f"node.kubernetes.io/{taint}",
            "operator": "Exists",
            "effect": "NoExecute",
            "tolerationSeconds": AWAY_SECONDS,
        }
        for taint in ("not-ready", "unreachable")
    ]
    optional: dict[str, Any] = {
        "serviceAccountName": chosen.service_account_name,
        "imagePullSecrets": [{"name": name} for name in chosen.image_pull_secrets],
        "nodeSelector": {"kubernetes.io/os": "linux", **chosen.node_selector},
        "affinity": None if chosen.affinity is None else _as_written(chosen.affinity),
        "priorityClassName": chosen.priority_class_name,
        "runtimeClassName": chosen.runtime_class_name,
        "hostAliases": [{"ip": each.ip, "hostnames": list(each.hostnames)} for each in chosen.host_aliases],
    }
    return {"tolerations": [*away, *(_as_written(each) for each in chosen.tolerations)]} | {
        key: value for key, value in optional.items() if value
    }


def _as_written(model: ConfigModel) -> dict[str, Any]:
    """What the administrator wrote, without our defaults."""
    return model.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude_none=True)
