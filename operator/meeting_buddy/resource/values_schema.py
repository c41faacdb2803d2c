"""JSON schema of the chart's values: a typing error fails ``helm install`` before anything is changed.

Bot classes come from :class:`~meeting_buddy.resource.bot_class.BotClass`, except that the image may be left out (the
chart then puts ``bot.image`` in).
"""

from typing import Any

from meeting_buddy.contract.links import Platform, SelfHostedHost
from meeting_buddy.resource.bot_class import BotClass

_STRING = {"type": "string"}
_BOOLEAN = {"type": "boolean"}
_STRINGS = {"type": "array", "items": _STRING}
_MAP = {"type": "object", "additionalProperties": _STRING}
_FREE = {"type": "object"}


def _closed(**properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "properties": properties}


def _image(**more: dict[str, Any]) -> dict[str, Any]:
    return _closed(
        repository=_STRING, tag=_STRING, digest={"type": "string", "pattern": "^(sha256:[0-9a-f]{64})?$"}, **more
    )


def values_schema() -> dict[str, Any]:
    """The whole schema, with the models' definitions under ``$defs``."""
    bot_class = BotClass.model_json_schema(by_alias=True)
    host = {"additionalProperties": False, **SelfHostedHost.model_json_schema(by_alias=True)}
    definitions = {**bot_class.pop("$defs", {}), **host.pop("$defs", {}), "SelfHostedHost": host}
    bot_class["required"] = [name for name in bot_class.get("required", []) if name != "image"]
    definitions["BotClass"] = bot_class
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        **_closed(
            watchNamespaces=_STRINGS,
            operator=_closed(
                image=_image(pullPolicy={"enum": ["Always", "IfNotPresent", "Never"]}),
                imagePullSecrets={"type": "array", "items": _closed(name=_STRING)},
                replicas={"type": "integer", "minimum": 0, "maximum": 2},
                resources=_FREE,
                nodeSelector=_MAP,
                tolerations={"type": "array", "items": _FREE},
                affinity=_FREE,
                priorityClassName=_STRING,
                podLabels=_MAP,
                podAnnotations=_MAP,
            ),
            bot=_closed(image=_image()),
            botClasses={
                "type": "object",
                "required": ["default"],
                "additionalProperties": {"$ref": "#/$defs/BotClass"},
            },
            platformTables=_closed(**{platform.value: _STRING for platform in Platform}),
            selfHosted=_closed(hosts={"type": "array", "items": {"$ref": "#/$defs/SelfHostedHost"}}),
            storage=_closed(
                create=_BOOLEAN,
                namespaces=_STRINGS,
                storageClassName=_STRING,
                accessModes=_STRINGS,
                size=_STRING,
            ),
            admissionPolicy=_closed(enabled=_BOOLEAN),
            crds=_closed(enabled=_BOOLEAN, keep=_BOOLEAN),
            seccompInstaller=_closed(enabled=_BOOLEAN, namespace=_STRING, kubeletRoot=_STRING),
            **{"global": _FREE},
        ),
        "$defs": definitions,
    }
