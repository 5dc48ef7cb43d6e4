"""Why a SPANK plugin does not load: one sentence out of Slurm's output and the file itself. Pure."""

from __future__ import annotations

import re
import signal as signals
from dataclasses import dataclass

from ansible_collections.slipway.containers.plugins.module_utils import elf
from ansible_collections.slipway.containers.plugins.module_utils.slurm_text import series_of, unpack_version


@dataclass(frozen=True)
class Rule:
    """A text of Slurm, the loader or pyxis, and the sentence it stands for; ``{0}`` is its first group."""

    pattern: str
    cause: str


# The first that matches counts. Recorded from Slurm 22.05 and 24.11 with pyxis 0.24: tests/fixtures/recorded.
RULES = (
    Rule(
        r"Incompatible Slurm plugin (\S+) version \(([\d.]+)\)",
        "{0} was built for another Slurm: for {1}, and this node runs {running}; build it for this one",
    ),
    Rule(
        r"undefined symbol: (\S+)",
        "{file} needs the symbol {0}, which this node's Slurm lacks: it was built for another",
    ),
    Rule(
        r"version `(\S+)' not found \(required by",
        "{file} was built on a newer distribution: this one's libraries lack {0}",
    ),
    Rule(
        r"pyxis: unknown configuration option: (\S+)",
        "pyxis does not know the argument {0}: the line needs another pyxis",
    ),
    Rule(r"pyxis: (\w+): invalid value: (\S*)", "pyxis refuses the argument {0}={1}"),
    Rule(
        r"Failed to open (\S+): Permission denied",
        "ordinary users cannot read {0}: each of their jobs is refused; give it mode 0644 or remove it",
    ),
    Rule(
        r"dlopen\((\S+?)\): .*Permission denied",
        "ordinary users cannot read {0}; the file needs 0644, its directories 0755",
    ),
    Rule(
        r'option "([\w-]+)" provided by both (\S+) and (\S+)',
        "the plugin is registered twice, as {1} and as {2}; one line must go",
    ),
    Rule(r"dlopen\((\S+?)\): .*file too short", "{0} is truncated: the loader says file too short"),
    Rule(r"dlopen\(\S+?\): (\S+): invalid ELF header", "{0} is damaged: the loader says invalid ELF header"),
    Rule(
        r"dlopen\((\S+?)\): \1: cannot open shared object file: No such file",
        "{0} is missing, or is for another architecture",
    ),
    Rule(
        r"dlopen\((\S+?)\): (\S+): cannot open shared object file",
        "{0} needs the library {1}, which this node lacks",
    ),
    Rule(r"Plugin name/type/version symbol missing", "{file} is a shared object, but no Slurm plugin"),
    Rule(
        r"Could not establish a configuration source", "Slurm's commands find no configuration on this node"
    ),
    Rule(r"fatal: (.+)", "Slurm's commands refuse this node's configuration: {0}"),
    Rule(r"dlopen\((\S+?)\): (.+)", "{0} cannot be loaded: {1}"),
)


def from_file(path: str, data: bytes | None, machine: str, running: str | None) -> str:
    """Return why a plugin file cannot work here, judged without loading it; empty where nothing is wrong.

    ``data`` is None for a missing file, ``machine`` is uname's, ``running`` the version of this node's Slurm.
    """
    if data is None:
        return f"{path} does not exist"
    facts = elf.inspect(data)
    if facts.problem:
        return f"{path} {facts.problem}"
    expected = elf.MACHINES.get(machine)
    if expected is not None and facts.machine != expected:
        return f"{path} is for {elf.machine_name(facts.machine)}, and this node is {machine}"
    if facts.plugin_version is None:
        return f"{path} is a shared object, but no Slurm plugin"
    built = unpack_version(facts.plugin_version)
    if running and series_of(built) != series_of(running):
        return (
            f"{path} was built for another Slurm: for {built}, and this node runs {running}; "
            "build it for this one"
        )
    return ""


def from_output(text: str, path: str, running: str | None, signal: int = 0, timed_out: bool = False) -> str:
    """Return why a command of Slurm did not take the plugin, from what it printed and how it ended."""
    for rule in RULES:
        found = re.search(rule.pattern, text)
        if found:
            return rule.cause.format(*found.groups(), file=path, running=running or "another version")
    if timed_out:
        return f"the command did not end in time with {path} loaded"
    if signal:
        return (
            f"the command died of {signal_name(signal)} while it loaded {path}: "
            "the file is damaged or was built for another Slurm"
        )
    line = next((line.strip() for line in text.splitlines() if "error:" in line), "")
    return line or "the command does not offer the option and says nothing: nothing registers it on this node"


def signal_name(number: int) -> str:
    """Return SIGBUS for 7."""
    try:
        return signals.Signals(number).name
    except ValueError:
        return f"signal {number}"
