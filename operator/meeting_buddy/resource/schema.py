"""Turns a pydantic model into a structural schema, the dialect of JSON schema that a CRD speaks.

What differs: references are inlined, ``null`` branches and null defaults dropped (unknown is absent), noise removed.
Facts: Kubernetes, "Specifying a structural schema"; OpenAPI 3.0.
"""

from typing import Any

from pydantic import BaseModel

_NOISE = ("title", "examples", "discriminator")


def structural(model: type[BaseModel]) -> dict[str, Any]:
    """Structural schema of ``model``, by alias, without references.

    Raises:
        ValueError: the model uses what a structural schema cannot say (unions, tuples of fixed length).
    """
    document = model.model_json_schema(by_alias=True, mode="validation")
    schema = _convert(document, document.get("$defs", {}))
    assert isinstance(schema, dict)  # noqa: S101 -- narrows the type; _convert maps objects to objects
    return schema


def _convert(node: Any, definitions: dict[str, Any]) -> Any:
    if not isinstance(node, dict):
        return node
    node = _resolve(node, definitions)
    result: dict[str, Any] = {}
    for key, value in node.items():
        if key in _NOISE or (key == "default" and value is None):
            continue
        if key == "default" and isinstance(value, dict):
            result[key] = {name: each for name, each in value.items() if each is not None}
        elif key == "properties":
            result[key] = {name: _convert(child, definitions) for name, child in value.items()}
        elif key in ("items", "additionalProperties") and isinstance(value, dict):
            result[key] = _convert(value, definitions)
        elif key == "propertyNames":
            continue  # not structural; the API server's CEL rules hold keys to their length
        elif key in ("anyOf", "oneOf", "allOf", "prefixItems"):
            raise ValueError(f"a structural schema cannot say {key}: {value}")
        elif key == "const":
            result["enum"] = [value]
        elif key in ("additionalProperties", "$defs"):
            continue
        else:
            result[key] = value
    return _named_lists(result)


def _resolve(node: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """Follow ``$ref`` and take the non-null branch of an optional; keys beside them win."""
    beside = {key: value for key, value in node.items() if key not in ("$ref", "anyOf", "allOf")}
    if "$ref" in node:
        target = definitions[node["$ref"].rpartition("/")[2]]
        return _resolve({**target, **beside}, definitions)
    if "allOf" in node and len(node["allOf"]) == 1:
        return _resolve({**node["allOf"][0], **beside}, definitions)
    if "anyOf" in node:
        branches = [branch for branch in node["anyOf"] if branch.get("type") != "null"]
        if len(branches) == 1:
            return _resolve({**branches[0], **beside}, definitions)
    return node


def _named_lists(schema: dict[str, Any]) -> dict[str, Any]:
    if schema.get("type") == "array":
        schema["x-kubernetes-list-type"] = "map" if "x-kubernetes-list-map-keys" in schema else "atomic"
    return schema
