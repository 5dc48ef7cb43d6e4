"""Records survive what srun's stdout does to them."""

from __future__ import annotations

import itertools
import json
import random

import pytest

from validate.framing import MARK, Decoder, encode

RECORDS = [
    {"check": f"N-{i:02}", "observed": "x" * i * 300 + "é€\n", "noise": random.Random(i).random()} for i in range(9)
]


def lines(nonce: str = "abcd", node: str = "gpu001", task: int = 0) -> bytes:
    return b"".join(encode(record, nonce, node, task, number) for number, record in enumerate(RECORDS))


def test_whole_records_come_back():
    found = Decoder("abcd").feed(lines())
    assert [record.content for record in found] == RECORDS
    assert {(record.node, record.task) for record in found} == {("gpu001", 0)}


def test_no_line_is_longer_than_what_srun_forwards_at_once():
    big = {"observed": random.Random(1).randbytes(60_000).hex()}
    assert max(len(line) for line in encode(big, "abcd", "n" * 64, 9999, 999).split(b"\n")) < 1024


@pytest.mark.parametrize("size", [1, 7, 100, 4096])
def test_the_pieces_in_which_it_arrives_do_not_matter(size):
    decoder, data = Decoder("abcd"), lines()
    found = [record for at in range(0, len(data), size) for record in decoder.feed(data[at : at + size])]
    assert [record.content for record in found] == RECORDS


def test_lines_of_nodes_in_any_order_are_kept_apart():
    mixed = lines(node="gpu001").splitlines(True) + lines(node="gpu002").splitlines(True)
    random.Random(3).shuffle(mixed)
    found = Decoder("abcd").feed(b"".join(mixed))
    for name in ("gpu001", "gpu002"):
        contents = sorted(json.dumps(record.content) for record in found if record.node == name)
        assert contents == sorted(map(json.dumps, RECORDS))


def test_garbage_around_a_record_is_noise():
    data = b"\x00\xff motd\n3: prefix " + lines().replace(b"\n", b"\ngarbage @slipway-validate abcd\n")
    decoder = Decoder("abcd")
    assert [record.content for record in decoder.feed(data)] == RECORDS
    assert b"motd" in decoder.noise


def test_another_runs_records_do_not_count():
    assert Decoder("abcd").feed(lines("dcba")) == []


@pytest.mark.parametrize("seed", range(20))
def test_a_damaged_record_is_dropped_and_never_wrong(seed):
    data, chance = bytearray(lines()), random.Random(seed)
    for _ in range(5):
        data[chance.randrange(len(data))] = chance.randrange(256)
    found = Decoder("abcd").feed(bytes(data))
    assert len(found) < len(RECORDS) + 1
    assert all(record.content in RECORDS for record in found)


def test_a_truncated_stream_gives_what_was_whole():
    data = encode(RECORDS[1], "abcd", "gpu001", 0, 1) + encode(RECORDS[8], "abcd", "gpu001", 0, 2)
    decoder = Decoder("abcd")
    found = decoder.feed(data[:-30]) + decoder.close()
    assert [record.content for record in found] == [RECORDS[1]]


def test_a_last_line_without_its_end_still_counts():
    decoder = Decoder("abcd")
    found = decoder.feed(encode(RECORDS[0], "abcd", "gpu001", 0, 1).rstrip(b"\n")) + decoder.close()
    assert [record.content for record in found] == [RECORDS[0]]


def test_a_repeated_record_counts_once():
    data = encode(RECORDS[1], "abcd", "gpu001", 0, 1)
    assert len(Decoder("abcd").feed(data + data)) == 1


def test_endless_output_without_lines_is_bounded():
    decoder = Decoder("abcd")
    for _ in itertools.repeat(None, 50):
        decoder.feed(b"x" * 100_000)
    assert len(decoder.noise) < 30_000
    assert MARK not in decoder.noise
