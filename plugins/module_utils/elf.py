"""The few facts of an ELF file that tell whether this machine can load it as a plugin. Works on bytes."""

from __future__ import annotations

import struct
from dataclasses import dataclass

MAGIC = b"\x7fELF"
HEADER_SIZE = 64
SECTION_SIZE = 64
SYMBOL_SIZE = 24
LOAD, DYNAMIC_SYMBOLS, SHARED_OBJECT, NO_BITS = 1, 11, 3, 8
# e_machine of elf.h by what `uname -m` says.
MACHINES = {"x86_64": 62, "aarch64": 183, "ppc64le": 21, "s390x": 22, "riscv64": 243}


@dataclass(frozen=True)
class Elf:
    """A 64-bit little-endian ELF file; ``problem`` is a clause that says why it is none, empty when it is."""

    problem: str
    machine: int = 0
    plugin_version: int | None = None


def machine_name(machine: int) -> str:
    """Return uname's name for an e_machine number."""
    return {number: name for name, number in MACHINES.items()}.get(machine, f"machine {machine}")


def inspect(data: bytes) -> Elf:
    """Judge a plugin file: whole or not, its machine, and the Slurm version it says it was built for."""
    if not data:
        return Elf("is empty")
    if data[:4] != MAGIC:
        kind = "an HTML page" if data.lstrip()[:5].lower() in (b"<html", b"<!doc") else "no ELF file"
        return Elf(f"is {kind}")
    if len(data) < HEADER_SIZE:
        return Elf(f"is truncated: {len(data)} bytes are less than an ELF header")
    order = ">" if data[5] == 2 else "<"
    if data[4] != 2:
        return Elf("is a 32-bit ELF file", machine=struct.unpack_from(order + "H", data, 18)[0])
    try:
        return _inspect(data, order)
    except (struct.error, OverflowError):
        return Elf("is damaged: its headers contradict each other")


def _inspect(data: bytes, order: str) -> Elf:
    header = struct.unpack_from(order + "HHIQQQIHHHHHH", data, 16)
    kind, machine, segments_at, sections_at = header[0], header[1], header[4], header[5]
    segment_size, segment_count, section_size, section_count = header[8], header[9], header[10], header[11]
    needed = max(segments_at + segment_size * segment_count, sections_at + section_size * section_count)
    if len(data) >= segments_at + segment_size * segment_count:
        needed = max(needed, _end_of_segments(data, order, segments_at, segment_size, segment_count))
    if needed > len(data):
        return Elf(f"is truncated: it has {len(data)} bytes and its headers promise {needed}", machine)
    if kind != SHARED_OBJECT:
        return Elf("is an ELF file, but no shared object", machine)
    return Elf("", machine, _symbol_value(data, order, sections_at, section_count, b"plugin_version"))


def _end_of_segments(data: bytes, order: str, at: int, size: int, count: int) -> int:
    ends = [0]
    for index in range(count):
        kind, _flags, offset, _address, _physical, length = struct.unpack_from(
            order + "IIQQQQ", data, at + index * size
        )
        if kind == LOAD:
            ends.append(offset + length)
    return max(ends)


def _sections(data: bytes, order: str, at: int, count: int) -> list[tuple[int, ...]]:
    return [
        struct.unpack_from(order + "IIQQQQIIQQ", data, at + index * SECTION_SIZE) for index in range(count)
    ]


def _symbol_value(data: bytes, order: str, at: int, count: int, wanted: bytes) -> int | None:
    """Return the 32-bit value of an exported constant, None where the file has none of that name."""
    sections = _sections(data, order, at, count)
    for table in (section for section in sections if section[1] == DYNAMIC_SYMBOLS and section[6] < count):
        names = sections[table[6]][4]
        for position in range(table[4], min(table[4] + table[5], len(data) - SYMBOL_SIZE + 1), SYMBOL_SIZE):
            name, _info, _other, index, address, _size = struct.unpack_from(order + "IBBHQQ", data, position)
            start = names + name
            if data[start : start + len(wanted) + 1] != wanted + b"\0" or not 0 < index < count:
                continue
            home = sections[index]
            offset = address - home[3] + home[4]
            if home[1] != NO_BITS and offset + 4 <= len(data):
                return int(struct.unpack_from(order + "I", data, offset)[0])
    return None
