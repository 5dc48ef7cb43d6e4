"""Merging keys into a file that belongs to somebody else."""

from __future__ import annotations

from typing import Any, Callable

import pytest
from ansible_collections.slipway.containers.plugins.module_utils.settings import active_value, fault_of, merge


@pytest.mark.parametrize(
    ("before", "settings", "after"),
    [
        ("", {"A": "1"}, "A 1\n"),
        ("B 2", {"A": "1"}, "B 2\nA 1\n"),
        ("B 2\n", {}, "B 2\n"),
        # enroot does not read a last line without its newline, whoever wrote it.
        ("B 1\nA 1", {"A": "1"}, "B 1\nA 1\n"),
        ("A 1\nB 2", {"A": "1"}, "A 1\nB 2\n"),
        ("B 2", {}, "B 2\n"),
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
    ("before", "value", "after"),
    [
        ("a = 1\nbind path = /x\n# c\nbind path = /y\nb = 2\n", ["/y", "/z"],
         "a = 1\nbind path = /y\nbind path = /z\n# c\nb = 2\n"),
        ("bind path = /x\nb = 2\n", [], "b = 2\n"),
        ("b = 2\n", ["/x", "/y"], "b = 2\nbind path = /x\nbind path = /y\n"),
    ],
)  # fmt: skip
def test_a_list_has_a_line_for_each_item(before: str, value: list[str], after: str) -> None:
    assert merge(before, {"bind path": value}, [], " = ") == after
    assert merge(after, {"bind path": value}, [], " = ") == after


def test_apptainers_own_file_is_merged_line_by_line(recorded: Callable[[str], str]) -> None:
    before = recorded("apptainer-1.4.5/apptainer.conf")
    settings = {"allow setuid": "no", "bind path": ["/etc/localtime", "/data"], "sessiondir max size": "1024"}
    after = merge(before, settings, [], " = ")
    assert set(before.splitlines()) - set(after.splitlines()) == {
        "allow setuid = yes", "bind path = /etc/hosts", "sessiondir max size = 64"
    }  # fmt: skip
    assert set(after.splitlines()) - set(before.splitlines()) == {
        "allow setuid = no", "bind path = /data", "sessiondir max size = 1024"
    }  # fmt: skip
    # A key that begins like another one, and the examples in comments, stay.
    assert "# allow setuid-mount squashfs = iflimited\n" in after
    assert "#bind path = /opt\n" in after


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("", "1"),
        (" A", "1"),
        ("#A", "1"),
        ("A=B", "1"),
        ("A\nB", "1"),
        ("A", "1\nB 2"),
        ("A", "1\r"),
        ("A", ["1", "2\n3"]),
    ],
)
def test_what_would_be_read_as_something_else_is_refused(key: str, value: str | list[str]) -> None:
    with pytest.raises(ValueError, match=r"cannot be a key|line break"):
        merge("A 0\n", {key: value}, [], " ")


def test_the_first_uncommented_value_is_the_one_that_counts() -> None:
    assert active_value("#A 9\nA 1\nA 2\n", "A") == "1"
    assert active_value("A\n", "A") == ""
    assert active_value("AB 1\n", "A") is None


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", 'root = "/x"\n'),
        ("version = 2\n", 'version = 2\nroot = "/x"\n'),
        ('root = "/old"\n[table]\nroot = 1\n', 'root = "/x"\n[table]\nroot = 1\n'),
        ("v = 2\n\n[table]\n [table.x]\nroot = 1\n", 'v = 2\n\nroot = "/x"\n[table]\n [table.x]\nroot = 1\n'),
        ("  [table]\n", 'root = "/x"\n  [table]\n'),
        ('#root = "/var"\n[table]', '#root = "/var"\nroot = "/x"\n[table]\n'),
    ],
)
def test_only_what_stands_before_the_first_table(before: str, after: str) -> None:
    settings = {"root": '"/x"'}
    assert merge(before, settings, [], " = ", "[") == after
    assert merge(after, settings, [], " = ", "[") == after


def test_a_key_of_a_table_is_not_kept_for_one_before_it() -> None:
    assert merge("[table]\nroot = 1\n", {"root": "2"}, ["root"], " = ", "[") == "root = 2\n[table]\nroot = 1\n"


@pytest.mark.parametrize(
    ("value", "allowed", "fault"),
    [
        ("text", [], ""),
        (5, [], ""),
        (True, ["boolean"], ""),
        (True, [], "k is read by YAML as true or false; put quotes around it"),
        (None, ["null"], ""),
        (None, [], "k has no value"),
        (["a", 1], ["list"], ""),
        ([], ["list"], ""),
        (["a"], ["null"], "k is a list"),
        ([None], ["list", "null"], "k has no value"),
        ([["a"]], ["list"], "k is a list"),
        ({"a": 1}, ["list", "null", "boolean"], "k is a dictionary"),
        ([{"a": 1}], ["list"], "k is a dictionary"),
        ("a\nb", [], "the value of k has a line break in it"),
    ],
)
def test_what_can_stand_in_such_a_file(value: Any, allowed: list[str], fault: str) -> None:
    assert fault_of("k", value, allowed) == fault


def test_a_key_that_would_be_read_as_something_else() -> None:
    assert fault_of("a=b", "c", []) == "'a=b' cannot be a key of such a file"
