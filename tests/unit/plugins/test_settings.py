"""Merging keys into a file that belongs to somebody else."""

from __future__ import annotations

import pytest
from ansible_collections.slipway.containers.plugins.module_utils.settings import active_value, merge


@pytest.mark.parametrize(
    ("before", "settings", "after"),
    [
        ("", {"A": "1"}, "A 1\n"),
        ("B 2", {"A": "1"}, "B 2\nA 1\n"),
        ("B 2\n", {}, "B 2\n"),
        ("A 0\n", {"A": "1"}, "A 1\n"),
        ("\tA\t0 \n", {"A": "1"}, "A 1\n"),
        ("A=0\nA = 2\n", {"A": "1"}, "A 1\n"),
        ("A\n", {"A": "1"}, "A 1\n"),
        ("#A 0\n# A 0\n", {"A": "1"}, "#A 0\n# A 0\nA 1\n"),
        ("A 0\nX\nA 2\nA 3\n", {"A": "1"}, "A 1\nX\n"),
        ("A_PATH 0\nTHE_A 3\n", {"A": "1"}, "A_PATH 0\nTHE_A 3\nA 1\n"),
        ("A 0\nA_PATH 0\n", {"A": None}, "A_PATH 0\n"),
        ("A 0\nA 2\nB 1\n", {"A": None}, "B 1\n"),
        ("B 1\n", {"A": None}, "B 1\n"),
        ("A.B 0\nAxB 0\n", {"A.B": "1"}, "A.B 1\nAxB 0\n"),
        ("\n\n# end\n\n", {"A": "1"}, "\n\n# end\n\nA 1\n"),
        ("A 0\n", {"A": ""}, "A \n"),
        ("A 0\n", {"A": r"$(id -u) \1"}, "A $(id -u) \\1\n"),
    ],
)
def test_merge(before: str, settings: dict[str, str | None], after: str) -> None:
    assert merge(before, settings, [], " ") == after
    assert merge(after, settings, [], " ") == after


def test_lines_of_others_stay_byte_by_byte() -> None:
    before = "# a\x0cb\u2028c\x85\r\nB 2\r\nA 0\r\n\udcff\r\nend"
    assert merge(before, {"A": "1"}, [], " ") == "# a\x0cb\u2028c\x85\r\nB 2\r\nA 1\n\udcff\r\nend\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [("A 0\n", "A 0\n"), ("A 0\nA 2\n", "A 0\nA 2\n"), ("", "A 1\n"), ("#A 0\n", "#A 0\nA 1\n"), ("A \n", "A 1\n")],
)
def test_a_kept_key_stays_where_it_has_a_value(before: str, after: str) -> None:
    assert merge(before, {"A": "1"}, ["A"], " ") == after
    assert merge("A 0\n", {"A": None}, ["A"], " ") == "A 0\n"


def test_keys_with_blanks_where_an_equals_sign_separates() -> None:
    before = "allow setuid = yes\nallow setuid-mount encrypted = yes\n# allow setuid = no\nbind path = /a\nbind = 1\n"
    after = merge(before, {"allow setuid": "no", "bind": "2"}, [], " = ")
    assert after == before.replace("setuid = yes", "setuid = no").replace("bind = 1", "bind = 2")
    assert active_value(after, "allow setuid", " = ") == "no"
    assert active_value(after, "allow", " = ") is None


@pytest.mark.parametrize(
    ("key", "value"), [("", "1"), (" A", "1"), ("#A", "1"), ("A=B", "1"), ("A\nB", "1"), ("A", "1\nB 2"), ("A", "1\r")]
)
def test_what_would_be_read_as_something_else_is_refused(key: str, value: str) -> None:
    with pytest.raises(ValueError, match=r"cannot be a key|line break"):
        merge("A 0\n", {key: value}, [], " ")


def test_the_first_uncommented_value_is_the_one_that_counts() -> None:
    assert active_value("#A 9\nA 1\nA 2\n", "A") == "1"
    assert active_value("A\n", "A") == ""
    assert active_value("AB 1\n", "A") is None
