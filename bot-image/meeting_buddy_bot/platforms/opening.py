"""The first page: the web client of the validated link, and nothing else, with the parameters that the table adds."""

from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from meeting_buddy.contract.links import Meeting
from meeting_buddy.contract.table import PlatformTable


def first_page(meeting: Meeting, table: PlatformTable) -> str:
    """Address to open; query and fragment of the web client's address stay as they are, byte for byte."""
    parts = urlsplit(meeting.web_address)
    present = {name for name, _ in parse_qsl(parts.query, keep_blank_values=True)}
    added = urlencode({name: value for name, value in table.url.query.items() if name not in present})
    query = "&".join(part for part in (parts.query, added) if part)
    return urlunsplit((parts.scheme, parts.netloc, parts.path, query, parts.fragment))


def is_platform_host(host: str, meeting: Meeting) -> bool:
    """Whether ``host`` belongs to the meeting: its own host, or another one of the platform's."""
    return host == meeting.host or meeting.rules.owns(host)
