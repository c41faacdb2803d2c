"""Meeting links: one table, one function that decides, and the earlier gates that are derived from the same table.

:func:`parse_link` decides finally, in the operator and again in the bot. The CRD's rules (:func:`host_pattern`,
:func:`self_hosted_pattern`) are gates before it and never stricter. A link can carry a passcode: no message quotes it.
"""

from meeting_buddy.contract.links.gates import host_pattern, self_hosted_pattern
from meeting_buddy.contract.links.parsing import MAX_LENGTH, LinkError, Meeting, parse_link
from meeting_buddy.contract.links.rules import LINKS, LinkRules, LinkShape, Platform, SelfHostedHost
from meeting_buddy.contract.links.wrappers import unwrap

__all__ = [
    "LINKS",
    "MAX_LENGTH",
    "LinkError",
    "LinkRules",
    "LinkShape",
    "Meeting",
    "Platform",
    "SelfHostedHost",
    "host_pattern",
    "parse_link",
    "self_hosted_pattern",
    "unwrap",
]
