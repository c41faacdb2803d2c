"""How models become the dialect of JSON schema that a CRD speaks."""

from __future__ import annotations

import re
from itertools import takewhile
from typing import Annotated, Any, Literal

import pytest
import yaml
from pydantic import BaseModel, Field

from meeting_buddy.resource import crd
from meeting_buddy.resource.bot_class import BotClass
from meeting_buddy.resource.crd import custom_resource_definition
from meeting_buddy.resource.schema import structural
from tests.local.clone import CHART


class Inner(BaseModel):
    """Inside."""

    size: int = Field(3, ge=1)
    limit: int | None = None


class Outer(BaseModel):
    """Outside."""

    inner: Inner = Inner()
    maybe: Inner | None = None
    number: Annotated[int, Field(ge=0)] | None = None
    only: Literal["one"] = "one"
    names: list[str] = []
    free: dict[str, str] = {}


def walk(node: Any) -> list[dict[str, Any]]:
    if isinstance(node, dict):
        return [node, *(found for child in node.values() for found in walk(child))]
    if isinstance(node, list):
        return [found for child in node for found in walk(child)]
    return []


def test_references_are_inlined_and_keep_the_default_beside_them() -> None:
    inner = structural(Outer)["properties"]["inner"]
    assert inner["properties"]["size"] == {"default": 3, "minimum": 1, "type": "integer"}
    assert inner["default"] == {"size": 3}


def test_an_optional_is_its_type_and_unknown_is_absent() -> None:
    properties = structural(Outer)["properties"]
    assert properties["number"] == {"minimum": 0, "type": "integer"}
    assert properties["maybe"]["type"] == "object"
    assert "default" not in properties["maybe"]


def test_a_constant_is_an_enumeration_of_one() -> None:
    assert structural(Outer)["properties"]["only"]["enum"] == ["one"]


def test_lists_say_how_they_merge_and_maps_keep_their_value_type() -> None:
    properties = structural(Outer)["properties"]
    assert properties["names"]["x-kubernetes-list-type"] == "atomic"
    assert properties["free"]["additionalProperties"] == {"type": "string"}


def test_a_union_is_refused_loudly() -> None:
    class Union(BaseModel):
        value: int | str

    with pytest.raises(ValueError, match="anyOf"):
        structural(Union)


def test_the_crd_holds_nothing_that_a_structural_schema_forbids() -> None:
    (version,) = custom_resource_definition()["spec"]["versions"]
    for node in walk(version["schema"]):
        assert not {"$ref", "$defs", "anyOf", "oneOf", "const", "prefixItems"} & node.keys()


def test_every_field_that_people_write_or_read_is_described() -> None:
    (version,) = custom_resource_definition()["spec"]["versions"]
    schema = version["schema"]["openAPIV3Schema"]["properties"]
    for part in ("spec", "status"):
        for node in walk(schema[part]):
            for name, field in node.get("properties", {}).items():
                assert isinstance(field, dict)
                assert field.get("description"), f"{part}: {name}"


def test_the_schema_states_its_hash_which_follows_every_part_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    (version,) = custom_resource_definition()["spec"]["versions"]
    stated = crd.stated_hash(version["schema"]["openAPIV3Schema"]["description"])
    assert stated == crd.schema_hash()
    monkeypatch.setattr(crd, "SHORT_NAME", {**crd.SHORT_NAME, "message": "another"})
    assert crd.schema_hash() != stated
    assert crd.stated_hash(crd.object_schema()["description"]) == crd.schema_hash()


@pytest.mark.parametrize("description", ["", "One meeting to attend.", "(schema 0123)", "(schema 0123456789abcdef0)"])
def test_a_description_without_a_hash_states_none(description: str) -> None:
    assert crd.stated_hash(description) is None


def test_spec_has_no_field_that_may_always_change_but_three() -> None:
    (version,) = custom_resource_definition()["spec"]["versions"]
    schema = version["schema"]["openAPIV3Schema"]
    spec = schema["properties"]["spec"]
    rules = [*spec["x-kubernetes-validations"], *schema["x-kubernetes-validations"]]
    frozen = {rule["fieldPath"].rpartition(".")[2] for rule in rules if "oldSelf" in rule["rule"]}
    assert set(spec["properties"]) - frozen == {"leave", "endTime", "ttlSecondsAfterFinished"}


def test_the_chart_s_example_of_a_bot_class_is_right_and_shows_every_field() -> None:
    text = (CHART / "values.yaml").read_text()
    lines = text[text.index("  # example:\n") :].splitlines()
    block = [line.removeprefix("  # ") for line in takewhile(lambda line: line.startswith("  # "), lines)]
    example = yaml.safe_load("\n".join(block))["example"]
    found = BotClass.model_validate(example)
    assert example.keys() == {field.alias for field in BotClass.model_fields.values()}
    shown = {"resources", "storage", "timeouts", "security", "sandbox", "participants"}
    plain = BotClass(image=found.image)
    for name in shown - {"resources"}:
        assert getattr(found, name) == getattr(plain, name), name
    assert (found.resources.audio, found.resources.video720p) == (plain.resources.audio, plain.resources.video720p)


def test_what_cannot_change_names_what_may_and_until_when() -> None:
    rules = crd.object_schema()["properties"]["spec"]["x-kubernetes-validations"]
    [message] = [each["message"] for each in rules if each.get("fieldPath") == ".debugMode"]
    always, _, until_bot = message.partition("(")[2].partition(" may always change, ")
    assert re.findall(r"spec\.(\w+)", always) == list(crd.ALWAYS_MUTABLE)
    assert re.findall(r"spec\.(\w+)", until_bot) == list(crd.MUTABLE_UNTIL_BOT)
    assert until_bot.endswith(" until there is a bot)")
