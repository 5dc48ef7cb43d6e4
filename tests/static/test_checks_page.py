"""docs/reference/checks.md is what the checks say."""

from __future__ import annotations

from dataclasses import replace

import pytest

from docs import checks


def test_the_page_is_fresh():
    if (checks.ROOT / checks.PAGE).read_text() != checks.render(checks.checks()):
        pytest.fail("run `make docs`: %s is stale" % checks.PAGE, pytrace=False)


def test_every_check_is_on_it():
    text = checks.render(checks.checks())
    assert all(text.count("\n| %s | " % check.id) == 1 for check in checks.checks())


def test_a_check_of_no_section_is_refused():
    with pytest.raises(ValueError, match="Z-01: no section"):
        checks.render([replace(checks.checks()[0], id="Z-01")])
