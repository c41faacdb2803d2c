"""The state table in the operator's README is the one that the tests run."""

from tests.unit.state_table import README, table


def test_the_readme_shows_the_table_that_is_tested() -> None:
    assert table() in README.read_text(), "run python -m tests.unit.state_table"
