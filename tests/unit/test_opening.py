"""The first page that a bot opens: the web client of the link's meeting."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import pytest

from meeting_buddy.contract.links import parse_link
from meeting_buddy.contract.table import PlatformTable, Url
from meeting_buddy_bot.platforms.opening import first_page, is_platform_host


def table(**query: str) -> PlatformTable:
    return cast(PlatformTable, SimpleNamespace(url=Url(query=query)))


@pytest.mark.parametrize(
    ("link", "query", "page"),
    [
        ("https://zoom.us/j/1234567890?pwd=a.1", {}, "https://zoom.us/wc/join/1234567890?pwd=a.1"),
        (
            "https://zoom.us/j/1234567890?pwd=a.1",
            {"fromPWA": "1", "pwd": "other"},
            "https://zoom.us/wc/join/1234567890?pwd=a.1&fromPWA=1",
        ),
        ("https://meet.google.com/abc-defg-hij", {"hl": "en"}, "https://meet.google.com/abc-defg-hij?hl=en"),
        (
            "https://meet.google.com/abc-defg-hij?authuser=0&HL=de",
            {"hl": "en"},
            "https://meet.google.com/abc-defg-hij?authuser=0&hl=en",
        ),
        (
            "https://teams.microsoft.com/l/meetup-join/19%3ax%40thread.v2/0?context=%7b%7d",
            {"lang": "en"},
            "https://teams.microsoft.com/v2/?meetingjoin=true&lang=en"
            "#/l/meetup-join/19%3ax%40thread.v2/0?context=%7b%7d&anon=true",
        ),
    ],
)
def test_the_first_page_is_the_web_client_with_the_tables_parameters(
    link: str, query: dict[str, str], page: str
) -> None:
    assert first_page(parse_link(link), table(**query)) == page


@pytest.mark.parametrize(
    ("host", "belongs"),
    [("zoom.us", True), ("app.zoom.us", True), ("zoom.us.evil.test", False), ("notzoom.us", False)],
)
def test_a_host_belongs_to_the_meeting_or_to_its_platform(host: str, belongs: bool) -> None:
    assert is_platform_host(host, parse_link("https://zoom.us/j/1234567890")) is belongs
