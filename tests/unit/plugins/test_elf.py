"""Plugin files: whole, damaged, foreign."""

import pytest
from ansible_collections.slipway.containers.plugins.module_utils import elf, spank_diagnosis


def test_a_good_plugin(plugin_file):
    facts = elf.inspect(plugin_file())
    assert (facts.problem, facts.machine, facts.plugin_version) == ("", 62, 0x180B05)
    assert spank_diagnosis.from_file("/p.so", plugin_file(), "x86_64", "24.11.7") == ""


@pytest.mark.parametrize(
    ("data", "cause"),
    [
        (None, "does not exist"),
        (b"", "is empty"),
        (b"<html>404", "is an HTML page"),
        (b"PK", "is no ELF file"),
        (b"\x7fELF\x02\x01", "is truncated"),
    ],
)
def test_no_plugin(data, cause):
    assert cause in spank_diagnosis.from_file("/p.so", data, "x86_64", "24.11.5")


def test_every_truncation_is_seen(plugin_file):
    whole = plugin_file()
    for size in range(1, len(whole)):
        assert spank_diagnosis.from_file("/p.so", whole[:size], "x86_64", "24.11.5"), size


def test_other_machine_series_and_kind(plugin_file):
    judge = spank_diagnosis.from_file
    assert "is for aarch64, and this node is x86_64" in judge(
        "/p", plugin_file(machine=183), "x86_64", "24.11.5"
    )
    assert "for 22.05.8, and this node runs 24.11.5" in judge(
        "/p", plugin_file(0x160508), "x86_64", "24.11.5"
    )
    assert "no Slurm plugin" in judge("/p", plugin_file(symbol=b"other"), "x86_64", "24.11.5")
    assert "no shared object" in judge("/p", plugin_file(kind=2), "x86_64", "24.11.5")


def test_flipped_bytes_never_raise(plugin_file):
    whole = plugin_file()
    for position in range(len(whole)):
        for value in (0, 0x7F, 0xFF):
            damaged = bytearray(whole)
            damaged[position] = value
            elf.inspect(bytes(damaged))
