"""The CustomResourceDefinition, built from the models: schema, CEL rules, columns, selectable fields.

CEL validates what a schema cannot: one of two fields, immutability, which hosts. Its messages name the field and the
remedy and never quote a value. A new rule must stay within the API server's cost budget: bound what it reads.
"""

import hashlib
import json
import re
from collections.abc import Sequence
from typing import Any, Final

from meeting_buddy.contract import identity, links
from meeting_buddy.contract.links import Platform
from meeting_buddy.resource import session
from meeting_buddy.resource.schema import structural

_WITH_HOSTS = ", ".join(f"'{platform}'" for platform in Platform)
_IS_SELF_HOSTED = f"(has(self.platform) && !(self.platform in [{_WITH_HOSTS}]))"

_WRAPPED = (
    r"^(?i:https://(([a-z0-9-]+\.)*safelinks\.protection\.(outlook\.com|office365\.us)/"
    r"|statics\.teams\.cdn\.office\.net/evergreen-assets/safelinks/|(www\.)?google\.com/url\?)).*$"
)


def _literal(expression: str) -> str:
    """A regular expression as a CEL string literal; raw, so that backslashes stay."""
    return f"r'{expression}'"


def _rule(rule: str, message: str, field_path: str | None = None, reason: str = "FieldValueInvalid") -> dict[str, str]:
    found = {"rule": rule, "message": message, "reason": reason}
    if field_path:
        found["fieldPath"] = field_path
    return found


ONE_LINK = _rule(
    "has(self.meetingLink) != has(self.meetingLinkSecretRef)",
    "set exactly one of spec.meetingLink and spec.meetingLinkSecretRef",
)
NOT_WRAPPED = _rule(
    f"!has(self.meetingLink) || !self.meetingLink.matches({_literal(_WRAPPED)})",
    "spec.meetingLink is wrapped by a mail gateway (SafeLinks or google.com/url): open it once and copy the meeting's "
    "own link from the address bar",
    ".meetingLink",
)
KNOWN_HOST = _rule(
    f"!has(self.meetingLink) || {_IS_SELF_HOSTED} || self.meetingLink.matches({_literal(_WRAPPED)}) || "
    f"self.meetingLink.matches({_literal(links.host_pattern())})",
    "spec.meetingLink must be an https link of Teams, Zoom, Google Meet or Webex, without port or user name; for a "
    "self-hosted meeting set spec.platform to its kind",
    ".meetingLink",
)
SELF_HOSTED_SHAPE = _rule(
    f"!has(self.meetingLink) || !{_IS_SELF_HOSTED} || "
    f"self.meetingLink.matches({_literal(links.self_hosted_pattern())})",
    "spec.meetingLink must be https://host.domain[:port]/… with a dotted host name, no address and no user name",
    ".meetingLink",
)
NO_PUNYCODE = _rule(
    "!has(self.meetingLink) || !self.meetingLink.matches(r'^(?i:https://([^/?#]*\\.)?xn--).*$')",
    "spec.meetingLink must not use an internationalised (xn--) host name",
    ".meetingLink",
)
SECRET_NEEDS_PLATFORM = _rule(
    "!has(self.meetingLinkSecretRef) || has(self.platform)",
    "set spec.platform together with spec.meetingLinkSecretRef: the operator does not read the Secret",
    ".platform",
    "FieldValueRequired",
)
END_AFTER_START = _rule(
    "!has(self.startTime) || !has(self.endTime) || timestamp(self.endTime) > timestamp(self.startTime)",
    "spec.endTime must be later than spec.startTime",
    ".endTime",
)
ON_THE_CALENDAR = tuple(
    _rule(
        f"!has(self.{name}) || timestamp(self.{name}) >= timestamp('1970-01-01T00:00:00Z')",
        f"spec.{name} is no day of the calendar",
        f".{name}",
    )
    for name in ("startTime", "endTime")
)
DEADLINE_NEEDS_START = _rule(
    "!has(self.startingDeadlineSeconds) || has(self.startTime)",
    "spec.startingDeadlineSeconds counts from spec.startTime: set both, or leave it out",
    ".startingDeadlineSeconds",
)
METADATA_KEYS = _rule(
    "self.all(key, size(key) >= 1 && size(key) <= 256)", "spec.metadata keys must have 1 to 256 characters"
)
SHORT_NAME = _rule(
    f"size(self.metadata.name) <= {identity.MAX_SESSION_NAME}",
    f"metadata.name must have at most {identity.MAX_SESSION_NAME} characters, because the bot pod's name is derived "
    "from it",
)


ALWAYS_MUTABLE = ("leave", "endTime", "ttlSecondsAfterFinished")
"""Fields of the spec that may change at any time."""
MUTABLE_UNTIL_BOT = ("startTime", "startingDeadlineSeconds", "meetingLink", "botName")
"""Fields of the spec that may change while no bot was made and the session goes on."""


def _listed(names: Sequence[str]) -> str:
    *most, last = (f"spec.{name}" for name in names)
    return f"{', '.join(most)} and {last}"


def _immutable(name: str) -> dict[str, str]:
    return _rule(
        _unchanged("", name),
        f"spec.{name} cannot change once the session exists: create a new MeetingSession instead "
        f"({_listed(ALWAYS_MUTABLE)} may always change, {_listed(MUTABLE_UNTIL_BOT)} until there is a bot)",
        f".{name}",
        "FieldValueForbidden",
    )


def _immutable_after_bot(name: str) -> dict[str, str]:
    """A rule of the object's root, which reads the stored status: a write to the main endpoint keeps it."""
    return _rule(
        "!has(oldSelf.status) || !(has(oldSelf.status.attempt) || has(oldSelf.status.completionTime)) || "
        f"({_unchanged('.spec', name)})",
        f"spec.{name} cannot change once the bot was made (status.attempt) or the session has ended: create a new "
        "MeetingSession instead",
        f".spec.{name}",
        "FieldValueForbidden",
    )


def _unchanged(where: str, name: str) -> str:
    now, before = f"self{where}.{name}", f"oldSelf{where}.{name}"
    return f"has({now}) == has({before}) && (!has({now}) || {now} == {before})"


COLUMNS: list[dict[str, Any]] = [
    {"name": "Phase", "type": "string", "jsonPath": ".status.phase", "description": "Where the session is."},
    {"name": "Platform", "type": "string", "jsonPath": ".status.platform", "description": "Platform of the link."},
    {"name": "Joined", "type": "date", "jsonPath": ".status.joinTimestamp", "description": "Since it was admitted."},
    {
        "name": "Duration",
        "type": "string",
        "jsonPath": ".status.duration",
        "description": "First joining to last leaving.",
    },
    {"name": "Segments", "type": "integer", "jsonPath": ".status.segmentCount", "description": "Closed segments."},
    {"name": "Reason", "type": "string", "jsonPath": ".status.reason", "description": "Why it ended.", "priority": 1},
    {"name": "Pod", "type": "string", "jsonPath": ".status.botPod", "description": "Pod of the bot.", "priority": 1},
    {"name": "Node", "type": "string", "jsonPath": ".status.node", "description": "Node of the pod.", "priority": 1},
    {
        "name": "Start",
        "type": "string",  # a date column shows nothing of a time that is ahead
        "jsonPath": ".spec.startTime",
        "description": "When the meeting starts.",
        "priority": 1,
    },
    {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp", "description": "Since it was created."},
]

SELECTABLE = (".status.sessionId", ".status.phase", ".status.platform")


_HASH_DIGITS: Final = 16
_STATED_HASH: Final = re.compile(rf"\bschema ([0-9a-f]{{{_HASH_DIGITS}}})\b")


def object_schema() -> dict[str, Any]:
    """``openAPIV3Schema`` of the resource; its description ends with the schema's own hash."""
    schema = _object_schema()
    return schema | {"description": f"{schema['description']} (schema {schema_hash()})"}


def schema_hash() -> str:
    """The first 16 hex digits of the SHA-256 of this version's schema, taken before they stand in it."""
    text = json.dumps(_object_schema(), sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:_HASH_DIGITS]


def stated_hash(description: str) -> str | None:
    """The hash that a schema's description states; ``None``: none, as before there was one."""
    found = _STATED_HASH.search(description)
    return found[1] if found else None


def _object_schema() -> dict[str, Any]:
    spec = structural(session.MeetingSessionSpec)
    spec["x-kubernetes-validations"] = [
        ONE_LINK,
        NOT_WRAPPED,
        KNOWN_HOST,
        SELF_HOSTED_SHAPE,
        NO_PUNYCODE,
        SECRET_NEEDS_PLATFORM,
        *ON_THE_CALENDAR,
        END_AFTER_START,
        DEADLINE_NEEDS_START,
        *(_immutable(name) for name in spec["properties"] if name not in (*ALWAYS_MUTABLE, *MUTABLE_UNTIL_BOT)),
    ]
    spec["properties"]["metadata"]["x-kubernetes-validations"] = [METADATA_KEYS]
    return {
        "type": "object",
        "description": session.MeetingSession.__doc__,
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": spec,
            "status": {**structural(session.MeetingSessionStatus), "default": {"observedGeneration": session.UNSEEN}},
        },
        "x-kubernetes-validations": [SHORT_NAME, *(_immutable_after_bot(name) for name in MUTABLE_UNTIL_BOT)],
    }


def custom_resource_definition() -> dict[str, Any]:
    """The whole CustomResourceDefinition, as a JSON document."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{session.PLURAL}.{session.GROUP}"},
        "spec": {
            "group": session.GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": session.KIND,
                "listKind": f"{session.KIND}List",
                "plural": session.PLURAL,
                "singular": session.KIND.lower(),
                "shortNames": ["mbs"],
                "categories": ["meetings"],
            },
            "versions": [
                {
                    "name": session.VERSION,
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": object_schema()},
                    "subresources": {"status": {}},
                    "additionalPrinterColumns": COLUMNS,
                    "selectableFields": [{"jsonPath": path} for path in SELECTABLE],
                }
            ],
        },
    }
