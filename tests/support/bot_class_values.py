"""Bot classes that must be refused, and ones that must work: fields beside the image, and what a refusal names."""

from __future__ import annotations

from typing import Any

Fields = dict[str, Any]


def profile(**fields: Any) -> Fields:
    return {"resources": {"720p": {"cpu": "1", "memory": "1Gi", "memoryLimit": "2Gi", **fields}}}


def node_term(**requirement: Any) -> Fields:
    terms = [{"matchExpressions": [{"key": "pool", **requirement}]}]
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}
    return {"affinity": {"nodeAffinity": required}}


WRONG: dict[str, tuple[Fields, str]] = {
    "sessions kept longer than the longest": (
        {"ttlSecondsAfterFinished": {"default": 61, "max": 60}},
        "ttlSecondsAfterFinished",
    ),
    "sessions kept for less than nothing": ({"ttlSecondsAfterFinished": {"max": -1}}, "ttlSecondsAfterFinished"),
    "a lead of more than an hour": ({"timeouts": {"startLeadSeconds": 3601}}, "startLeadSeconds"),
    "decimal comma": (profile(cpu="1,5"), "cpu"),
    "suffix of no quantity": (profile(memory="2GB"), "memory"),
    "kibi in small letters": (profile(memory="2ki"), "memory"),
    "milli exponent": (profile(cpu="1e3m"), "cpu"),
    "zero": (profile(memoryLimit="0"), "memoryLimit"),
    "zero as a number": (profile(cpuLimit=0), "cpuLimit"),
    "negative": (profile(cpu="-1"), "cpu"),
    "truth as an amount": (profile(cpu=True), "cpu"),
    "blank": (profile(ephemeralStorage=""), "ephemeralStorage"),
    "memory above its limit": (profile(memory="3e9", memoryLimit="2Gi"), "memoryLimit"),
    "CPU above its limit": (profile(cpu="1500m", cpuLimit=1), "cpuLimit"),
    "disk above its limit": (profile(ephemeralStorage="1Gi", ephemeralStorageLimit="1G"), "ephemeralStorageLimit"),
    "memory above the limit that the profile has by itself": (
        {"resources": {"audio": {"memory": "3Gi"}}},
        "memoryLimit",
    ),
    "CPU limit below what the profile asks for by itself": ({"resources": {"1080p": {"cpuLimit": 2}}}, "cpuLimit"),
    "tolerated operator": ({"tolerations": [{"key": "a", "operator": "Is"}]}, "operator"),
    "toleration without key": ({"tolerations": [{"value": "b"}]}, "tolerations"),
    "toleration of any value with a value": (
        {"tolerations": [{"key": "a", "operator": "Exists", "value": "b"}]},
        "tolerations",
    ),
    "time for an effect that has none": (
        {"tolerations": [{"key": "a", "value": "b", "effect": "NoSchedule", "tolerationSeconds": 5}]},
        "tolerations",
    ),
    "unknown effect": ({"tolerations": [{"operator": "Exists", "effect": "NoRun"}]}, "effect"),
    "misspelt toleration": ({"tolerations": [{"operator": "Exists", "efect": "NoExecute"}]}, "efect"),
    "misspelt affinity": ({"affinity": {"nodeAfinity": {}}}, "nodeAfinity"),
    "no term": (
        {"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": []}}}},
        "nodeSelectorTerms",
    ),
    "In without values": (node_term(operator="In", values=[]), "values"),
    "Exists with values": (node_term(operator="Exists", values=["a"]), "values"),
    "Gt of two": (node_term(operator="Gt", values=["1", "2"]), "values"),
    "weight": (
        {
            "affinity": {
                "nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 101, "preference": {}}]}
            }
        },
        "weight",
    ),
    "pods without topology": (
        {"affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [{}]}}},
        "topologyKey",
    ),
    "label key": ({"labels": {"a key": "b"}}, "a key"),
    "label value": ({"labels": {"team": "a b"}}, "team"),
    "label value that is a number": ({"labels": {"team": 7}}, "team"),
    "node label": ({"nodeSelector": {"pool": "-bots"}}, "pool"),
    "annotation key": ({"annotations": {"/empty": "b"}}, "/empty"),
    "annotations too large": ({"annotations": {f"a{n}": "x" * 1024 for n in range(201)}}, "annotations"),
    "env name": ({"env": {"A=B": "c"}}, "A=B"),
    "env name that begins with a digit": ({"env": {"1A": "c"}}, "1A"),
    "env value that YAML does not take": ({"env": {"A": "c\x7f"}}, "env"),
    "env value that is no character": ({"env": {"A": "\ufffe"}}, "env"),
    "annotation that YAML does not take": ({"annotations": {"a": "c\x85"}}, "annotations"),
    "model that YAML does not take": (
        {"transcription": {"server": {"url": "https://a.example/v1", "model": "\x85"}}},
        "model",
    ),
    "folder that YAML does not take": ({"transcription": {"model": "/models/\x7f"}}, "model"),
    "profile that YAML does not take": ({"sandbox": {"seccompProfile": "a\x7f"}}, "seccompProfile"),
    "server that YAML does not take": (
        {"transcription": {"server": {"url": "https://a.example/\x7f", "model": "m"}}},
        "url",
    ),
    "env twice": ({"env": {"A": "c"}, "secretEnv": [{"name": "A", "secret": "s", "key": "k"}]}, "secretEnv"),
    "secret of no name": ({"secretEnv": [{"name": "A", "secret": "S_", "key": "k"}]}, "secret"),
    "secret key": ({"secretEnv": [{"name": "A", "secret": "s", "key": "a/b"}]}, "key"),
    "address": ({"hostAliases": [{"ip": "10.0.0.256", "hostnames": ["a.b"]}]}, "ip"),
    "address with leading zeros": ({"hostAliases": [{"ip": "10.0.0.01", "hostnames": ["a.b"]}]}, "ip"),
    "half an address": ({"hostAliases": [{"ip": "fd00:1", "hostnames": ["a.b"]}]}, "ip"),
    "host name": ({"hostAliases": [{"ip": "10.0.0.1", "hostnames": ["Meet.Example"]}]}, "hostnames"),
    "image with a space": ({"image": "registry.example/a b"}, "image"),
    "pull secret": ({"imagePullSecrets": ["Not_A_Name"]}, "imagePullSecrets"),
    "priority class": ({"priorityClassName": "High"}, "priorityClassName"),
    "runtime class": ({"runtimeClassName": "g visor"}, "runtimeClassName"),
    "account": ({"serviceAccountName": "-bots"}, "serviceAccountName"),
    "claim": ({"storage": {"claim": "My Claim"}}, "claim"),
    "group": ({"storage": {"fsGroup": -1}}, "fsGroup"),
    "root": ({"security": {"runAsUser": 0}}, "runAsUser"),
    "profile of the pod": ({"security": {"seccompProfile": "Unconfined"}}, "seccompProfile"),
    "profile outside the folder": ({"sandbox": {"seccompProfile": "../chromium.json"}}, "seccompProfile"),
    "absolute profile": ({"sandbox": {"seccompProfile": "/chromium.json"}}, "seccompProfile"),
    "certificate key": ({"extraCa": {"configMap": "ca", "key": ".."}}, "key"),
    "grace": ({"timeouts": {"graceSeconds": 10_000_000}}, "graceSeconds"),
    "days of a pod": ({"timeouts": {"finishedPodSeconds": {"failed": -1}}}, "failed"),
}

_POD_TERM = {
    "topologyKey": "kubernetes.io/hostname",
    "labelSelector": {"matchExpressions": [{"key": "app", "operator": "DoesNotExist"}]},
}

WORKING: dict[str, Fields] = {
    **{
        f"amount {amount}": profile(cpu=amount, cpuLimit=amount)
        for amount in ("1e3", "250u", "+1", "5n", ".5", "1.", 2)
    },
    **{
        f"amount {amount}": profile(memory=amount, memoryLimit=amount, ephemeralStorage=amount)
        for amount in ("1e9", "4Pi", "12E", "1E3", "9Ei", 1e9, "1e-9", "2e+30")
    },
    "one amount of a profile": {"resources": {"720p": {"cpu": 1}}},
    "one limit of a profile": {"resources": {"audio": {"cpuLimit": "500m"}, "1080p": {"memoryLimit": "4Gi"}}},
    "tolerations": {
        "tolerations": [
            {"operator": "Exists"},
            {"key": "a.example/b", "value": "c", "effect": "NoExecute", "tolerationSeconds": 0},
            {"key": "a", "operator": "Equal", "effect": "NoSchedule"},
        ]
    },
    "node affinity": node_term(operator="Gt", values=["3"]),
    "node name": {
        "affinity": {
            "nodeAffinity": {
                "preferredDuringSchedulingIgnoredDuringExecution": [
                    {
                        "weight": 1,
                        "preference": {
                            "matchFields": [{"key": "metadata.name", "operator": "NotIn", "values": ["node1"]}]
                        },
                    }
                ]
            }
        }
    },
    "pod affinity": {
        "affinity": {
            "podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [{**_POD_TERM, "namespaces": ["a"]}]},
            "podAntiAffinity": {
                "preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 100, "podAffinityTerm": _POD_TERM}]
            },
        }
    },
    "labels": {"labels": {"a.example/B_c": "", "x": "Y.z"}, "annotations": {"Note": "any text: \u00e9\n"}},
    "control characters that JSON escapes": {
        "env": {"COLOUR": "\x1b[0m", "ALL": "".join(map(chr, range(1, 32)))},
        "annotations": {"a": "".join(map(chr, range(1, 32)))},
    },
    "env": {"env": {".A": "", "_b-c.D": "x"}, "secretEnv": [{"name": "T", "secret": "s", "key": ".k"}]},
    "addresses": {
        "hostAliases": [{"ip": ip, "hostnames": ["a.b"]} for ip in ("10.0.0.7", "::1", "fd00::1:2", "1:2:3:4:5:6:7:8")]
    },
    "left to the cluster": {
        "security": {"runAsUser": None, "seccompProfile": None},
        "storage": {"fsGroup": None},
        "sandbox": {"seccompProfile": None},
    },
}
