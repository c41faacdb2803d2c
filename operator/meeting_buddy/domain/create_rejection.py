"""Why the API server did not take a pod, from the admission chain's words to a cause and a remedy.

Some of it passes (a quota frees itself, GitOps brings the service account later) and is tried again until the start-up
deadline. The rest never does: then waiting would only cost the meeting, and the session ends at once.
"""

import re
from datetime import datetime
from typing import Final, NamedTuple

from meeting_buddy.contract.reasons import Reason
from meeting_buddy.domain.causes import Outcome, sentence
from meeting_buddy.domain.facts import CreateRejection, RejectionKind

_CPU_LIMIT: Final = "Set cpuLimit in the bot class's resources."


class Rule(NamedTuple):
    """One row: how the answer begins, as a regular expression, whether it may pass, and what helps."""

    pattern: str
    kind: RejectionKind
    remedy: str | None = None


_WEBHOOK: Final = r'admission webhook ".*?" denied the request'
_POLICY: Final = r"(ValidatingAdmissionPolicy|policy) '.*?' with binding '.*?' denied request"
_ABOUT_CPU_LIMIT: Final = r".*(limits\.cpu|cpu limits?|limits? .*\bcpu\b)"
_LIMIT_RANGE: Final = r"(\[.*)?"
"""It lists what it finds, if that is more than one thing."""
RULES: Final = (
    Rule(_WEBHOOK + _ABOUT_CPU_LIMIT, "forbidden", _CPU_LIMIT),
    Rule(
        _WEBHOOK,
        "forbidden",
        "Change the bot class so that it fits the webhook's policy, or exempt pods of Meeting Buddy from it.",
    ),
    Rule(_POLICY + _ABOUT_CPU_LIMIT, "invalid", _CPU_LIMIT),
    Rule(
        _POLICY,
        "invalid",
        "Change the bot class so that it fits the policy, or exempt pods of Meeting Buddy from it.",
    ),
    Rule(r"failed quota: \S+: must specify[^:]*limits\.cpu", "invalid", _CPU_LIMIT),
    Rule(r"failed quota: \S+: must specify", "invalid", "Set what the message names in the bot class's resources."),
    Rule(r"exceeded quota", "quota"),
    Rule(_LIMIT_RANGE + r"maximum cpu usage per \w+ is \S+\s+No limit is specified", "invalid", _CPU_LIMIT),
    Rule(
        _LIMIT_RANGE + r"maximum \S+ usage per",
        "invalid",
        "Lower the bot class's resources below the LimitRange's maximum, or raise the LimitRange.",
    ),
    Rule(
        _LIMIT_RANGE + r"minimum \S+ usage per",
        "invalid",
        "Raise the bot class's resources to the LimitRange's minimum, or lower the LimitRange.",
    ),
    Rule(
        _LIMIT_RANGE + r"\S+ max limit to request ratio per",
        "invalid",
        "Bring the bot class's limits and requests closer together, as the LimitRange asks.",
    ),
    Rule(
        r"violates PodSecurity",
        "invalid",
        "Correct what the bot class or an injector adds: a bot's pod by itself fits the level restricted.",
    ),
    Rule(
        r"unable to validate against any security context constraint",
        "invalid",
        "Set security.runAsUser and storage.fsGroup of the bot class to null, or grant its service account a security "
        "context constraint.",
    ),
    Rule(
        r"error looking up service account|service ?account \S+ (was )?not found",
        "forbidden",
        "Create the service account in the session's namespace, or name another one in the bot class.",
    ),
    Rule(
        r"no PriorityClass with name",
        "forbidden",
        "Create the PriorityClass, or name another one in the bot class's priorityClassName.",
    ),
    Rule(
        r"(pod rejected: )?RuntimeClass \S+ not found",
        "forbidden",
        "Create the RuntimeClass, or name another one in the bot class's runtimeClassName.",
    ),
    Rule(
        r"unable to create new content in namespace \S+ because it is being terminated",
        "invalid",
        "Nothing to do: the session's namespace is being deleted.",
    ),
    Rule(
        r"User .* cannot create resource",
        "forbidden",
        "Give the operator the chart's role in the session's namespace.",
    ),
)
"""Webhooks and policies first: what they say behind the beginning is their own wording, and may be that of any row."""
_FORBIDDEN: Final = re.compile(r'\S+( ".*?")? is forbidden: ')
"""How the API server's own admission begins, before it says why."""
_OTHERWISE: Final = "Correct what the message names in the bot class, then create a new session."


def rejection(kind: str, status: int, reason: str, message: str, now: datetime) -> CreateRejection:
    """Sort the answer to the creation of a ``kind``; of one about the Secret only a quota's words are passed on."""
    begins = _FORBIDDEN.match(message)
    why = message[begins.end() :] if begins is not None else message
    rule = next((each for each in RULES if re.match(each.pattern, why, re.IGNORECASE)), None)
    found: RejectionKind = rule.kind if rule is not None else "forbidden" if status == 403 else "invalid"
    if found == "quota":
        return CreateRejection(found, sentence(message), now)
    if kind != "Pod":
        return CreateRejection(found, f"the pod's {kind} was refused ({reason or status})", now)
    remedy = rule.remedy if rule is not None else _OTHERWISE
    return CreateRejection(found, sentence(f"the pod was refused: {message}"), now, remedy)


def outcome(found: CreateRejection) -> Outcome:
    """What a session ends with that never got a pod for this."""
    reason = Reason.QUOTA_EXCEEDED if found.kind == "quota" else Reason.CONFIG_INVALID
    return Outcome(reason, found.message, remedy=found.remedy)
