"""Tables and page packs of the four platforms stand on facts that exist, and on none that was contradicted."""

from __future__ import annotations

import pytest

from tests.local.meetings import packs
from tests.local.meetings.facts import SHEET_DATE
from tests.local.meetings.facts.usage import Usage, citations, sources, usages
from tests.support.platform_tables import platform_table

USAGES = usages()


@pytest.mark.parametrize("usage", USAGES, ids=lambda usage: usage.name)
def test_every_source_of_a_table_is_a_fact_with_its_date(usage: Usage) -> None:
    wrong = []
    for source in sources(platform_table(usage.facts.platform.lower())):
        cited = citations(source)
        dates = [usage.facts.by_id[each].date if each in usage.facts.by_id else "none" for each, _ in cited]
        full = [date if len(date) == 10 else SHEET_DATE for date in dates]
        if not cited or "none" in dates or any(date not in full for _, date in cited):
            wrong.append(source)
    assert wrong == []


@pytest.mark.parametrize("usage", USAGES, ids=lambda usage: usage.name)
def test_no_element_stands_on_contradicted_facts_alone(usage: Usage) -> None:
    table = platform_table(usage.facts.platform.lower())
    alone = [
        name
        for name, locators in table.elements.items()
        if all(usage.facts[each].decoy for locator in locators for each, _ in citations(locator.source))
    ]
    assert alone == []


@pytest.mark.parametrize("usage", USAGES, ids=lambda usage: usage.name)
def test_every_fact_on_a_page_exists(usage: Usage) -> None:
    assert usage.pages - set(usage.facts.by_id) == set()


def test_the_four_platforms_have_a_pack_each() -> None:
    assert set(packs.names()) == {"teams", "zoom", "googlemeet", "webex"}
