"""Ranges of subordinate ids, as values."""

from __future__ import annotations

import pytest
from ansible_collections.slipway.containers.plugins.module_utils.subid import (
    HIGHEST_ID,
    Entry,
    NoRoom,
    Wanted,
    allocate,
    first_free,
    overlaps,
    parse,
    parse_record,
    record_of,
    sources,
    with_lines,
    without_lines,
)

UID, GID = "/etc/subuid", "/etc/subgid"
MEMBER = "member:165536:65536\n"


def test_what_is_no_entry_is_left_out() -> None:
    text = "# a\nmember:165536:65536\n\nx:1\nx:a:1\n:1:2\nx:1:0\nx:-1:5\n!off:1:2\n2001:5:1"
    assert [(entry.owner, entry.start, entry.number) for entry in parse(text)] == [
        ("member", 165536, 2), ("!off", 1, 9), ("2001", 5, 10)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        ("a:100:10\nb:110:10\n", []),
        ("b:109:10\na:100:10\n", [(1, 2)]),
        ("a:100:100\nb:110:10\nc:150:1\n", [(1, 2), (1, 3)]),
        ("a:100:10\na:105:10\n", []),
        ("a:100:10\n2001:105:10\n", []),
        ("b:100:10\n2001:105:10\n", [(1, 2)]),
        ("!b:100:10\na:105:10\n", [(1, 2)]),
        ("a:100:10\nb:105:1\na:107:10\n", [(1, 2)]),
    ],
)
def test_overlaps(text: str, pairs: list[tuple[int, int]]) -> None:
    found = overlaps(parse(text), {"a": 2001})
    assert [(one.number, two.number) for one, two in found] == pairs


@pytest.mark.parametrize(
    ("taken", "start"),
    [
        ([], 1000),
        ([(1000, 1100)], 1100),
        ([(1100, 1200)], 1000),
        ([(1050, 1060)], 1060),
        ([(900, 1001)], 1001),
        ([(1500, 1600), (1000, 1100), (1150, 1151), (1000, 1010)], 1151),
        ([(1000, HIGHEST_ID - 98)], None),
        ([(1000, HIGHEST_ID - 99)], HIGHEST_ID - 99),
    ],
)
def test_first_free(taken: list[tuple[int, int]], start: int | None) -> None:
    assert first_free(taken, 100, 1000) == start


def test_a_range_that_is_there_is_kept() -> None:
    wanted = Wanted(["member"], 65536, 700000000)
    assert allocate(wanted, {UID: MEMBER, GID: "2001:5:65536"}, {"member": 2001}, []) == {UID: [], GID: []}


def test_nobody_gets_ids_of_others() -> None:
    wanted = Wanted(["a", "b", "a"], 100, 1000)
    files = {UID: "x:1000:50\n", GID: "y:1120:100\n"}
    lines = allocate(wanted, files, {"a": 1, "b": 2}, [1230])
    # The same range in both files: the first that is free in both, and holds no account's id.
    assert lines == {UID: ["a:1231:100", "b:1331:100"], GID: ["a:1231:100", "b:1331:100"]}
    after = {path: with_lines(text, lines[path]) for path, text in files.items()}
    assert allocate(wanted, after, {"a": 1, "b": 2}, [1230]) == {UID: [], GID: []}


def test_a_user_who_lacks_one_file_gets_it_there_only() -> None:
    lines = allocate(Wanted(["a"], 100, 1000), {UID: "a:5:100", GID: "a:5:99"}, {"a": 1}, [])
    assert lines == {UID: [], GID: ["a:1000:100"]}


def test_no_room_names_the_user() -> None:
    with pytest.raises(NoRoom, match="for a from 4294967200"):
        allocate(Wanted(["a"], 100, 4294967200), {UID: "", GID: ""}, {"a": 1}, [])


def test_lines_are_added_behind_a_last_one_without_its_end() -> None:
    assert with_lines("x:1:2", ["a:3:4"]) == "x:1:2\na:3:4\n"
    assert with_lines("", ["a:3:4"]) == "a:3:4\n"
    assert with_lines("x:1:2", []) == "x:1:2"


def test_only_what_was_added_is_taken_out() -> None:
    text = "a:5:100\n# c\n!a:1000:100\na:1100:100\nb:1000:100\nend"
    assert without_lines(text, ["a:1000:100"]) == "a:5:100\n# c\na:1100:100\nb:1000:100\nend"


def test_a_record_is_read_as_it_was_written() -> None:
    added = {GID: ["a:1:2"], UID: ["a:1:2", "b:3:4", "a:1:2"]}
    assert parse_record(record_of(added)) == {GID: ["a:1:2"], UID: ["a:1:2", "b:3:4"]}
    assert parse_record("") == {}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("passwd: files\n", []),
        ("subid: sss # x\n", ["sss"]),
        ("# subid: sss\n", []),
        ("subid:\tsss files\n", ["sss", "files"]),
    ],
)
def test_sources(text: str, found: list[str]) -> None:
    assert sources(text) == found


def test_an_entry_reads_as_its_line() -> None:
    assert Entry("a", 1, 2, 3).text == "a:1:2"
