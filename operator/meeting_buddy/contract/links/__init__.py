"""Meeting links: one table, one function that decides, and the earlier gates that are derived from the same table.

The four platforms' rows are here, those of self-hosted kinds in their platform tables (:class:`SelfHostedKind`).

:func:`parse_link` decides finally, in the operator and again in the bot. The CRD's rules (:func:`host_pattern`,
:func:`self_hosted_pattern`) are gates before it and never stricter. A link can carry a passcode: no message quotes it.
"""

from meeting_buddy.contract.links.gates import host_pattern, self_hosted_pattern
from meeting_buddy.contract.links.kinds import SelfHostedKind
from meeting_buddy.contract.links.parsing import MAX_LENGTH, LinkError, Meeting, parse_link
from meeting_buddy.contract.links.rules import (
    LINKS,
    PLATFORM_NAME,
    LinkRules,
    LinkShape,
    Platform,
    PlatformName,
    SelfHostedHost,
    is_self_hosted,
)
from meeting_buddy.contract.links.wrappers import unwrap

__all__ = [
    "LINKS",
    "MAX_LENGTH",
    "PLATFORM_NAME",
    "LinkError",
    "LinkRules",
    "LinkShape",
    "Meeting",
    "Platform",
    "PlatformName",
    "SelfHostedHost",
    "SelfHostedKind",
    "host_pattern",
    "is_self_hosted",
    "parse_link",
    "self_hosted_pattern",
    "unwrap",
]
