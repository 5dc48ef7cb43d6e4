"""Prove on a node that a SPANK plugin loads, without touching the configuration that jobs use."""

from __future__ import annotations

import glob
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from ansible_collections.slipway.containers.plugins.module_utils import (
    command,
    plugstack_tree,
    slurm_config,
    spank_diagnosis,
)

NOBODY = 65534
# Enough for commands that only print their help, on a node that has no configuration of its own yet.
MINIMAL = "ClusterName=none\nSlurmctldHost=localhost\n"
# Loads the plugin as Slurm does, in a process of its own: a damaged file kills it.
LOADER = """
import ctypes, glob, os, sys
path, directory = sys.argv[1:3]
for name in glob.glob(os.path.join(directory, "libslurmfull.so")):
    ctypes.CDLL(name, mode=ctypes.RTLD_GLOBAL)
try:
    ctypes.CDLL(path, mode=os.RTLD_LAZY)
except OSError as error:
    sys.exit("dlopen(%s): %s" % (path, error))
print("loaded")
"""


@dataclass(frozen=True)
class Proof:
    """``method`` says what was seen to work; ``cause`` says why it did not, else it is empty."""

    proven: bool
    method: str
    cause: str
    output: str


@contextmanager
def private_configuration(config: str | None, line: str) -> Iterator[tuple[str, bool]]:
    """Yield (slurm.conf, readable for others): a node's configuration with one line in its plugstack.conf.

    Every other file beside slurm.conf (cli_filter.lua, topology.conf …) is there as a symbolic link.
    """
    directory = tempfile.mkdtemp(prefix="slipway-proof-")
    try:
        text = plugstack_tree.read_text(config) if config else None
        source = os.path.dirname(config) if config else ""
        public = not config or bool(os.stat(config).st_mode & stat.S_IROTH)
        lines = slurm_config.flatten(MINIMAL if text is None else text, source, plugstack_tree.read_text)
        for path in glob.glob(os.path.join(glob.escape(source), "*")) if source else []:
            if os.path.basename(path) not in ("slurm.conf", "plugstack.conf"):
                os.symlink(path, os.path.join(directory, os.path.basename(path)))
        plugstack = os.path.join(directory, "plugstack.conf")
        copy = os.path.join(directory, "slurm.conf")
        _write(plugstack, line + "\n", 0o644)
        _write(copy, slurm_config.redirected(lines, plugstack), 0o644 if public else 0o600)
        os.chmod(directory, 0o755 if public else 0o700)
        yield copy, public
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _write(path: str, text: str, mode: int) -> None:
    with open(path, "w", encoding="utf-8", errors="surrogateescape") as stream:
        os.fchmod(stream.fileno(), mode)
        stream.write(text)


@dataclass(frozen=True)
class Subject:
    """What is to be seen: ``option`` of ``plugin``, on a node that runs this Slurm.

    ``sbatch_option`` is false where the line tells pyxis not to serve sbatch.
    """

    plugin: str
    option: str
    running: str | None
    timeout: float
    sbatch_option: bool


def prove_by_help(programs: Mapping[str, str], config: str | None, public: bool, subject: Subject) -> Proof:
    """See the option in the help of srun and of sbatch, as an ordinary user where this process may be one.

    srun reads no plugin arguments for its help; sbatch does, so only both together prove the line.
    """
    user = NOBODY if os.geteuid() == 0 and public else None
    method = " and ".join(f"{name} --help" for name in programs)
    if user is not None:
        method += " as an ordinary user"
    environment = command.plain_environment({"SLURM_CONF": config} if config else {})
    for name, program in programs.items():
        output = command.run([program, "--help"], subject.timeout, environment, user)
        wanted = "--" + subject.option if name == "srun" or subject.sbatch_option else "--help"
        text = output.stderr + output.stdout
        doubled = f'option "{subject.option}" provided by both' in output.stderr
        if wanted in output.stdout and not doubled:
            continue
        cause = spank_diagnosis.from_output(
            output.stderr, subject.plugin, subject.running, output.signal, output.timed_out
        )
        return Proof(
            False, method, cause, text[-2000:] if wanted not in output.stdout else output.stderr[-2000:]
        )
    return Proof(True, method, "", "")


def prove_by_loading(plugin: str, library: str, running: str | None, timeout: float) -> Proof:
    """Load the plugin into a process with Slurm's library; what is left on a node without srun."""
    user = NOBODY if os.geteuid() == 0 else None
    words = [sys.executable, "-I", "-c", LOADER, plugin, library]
    output = command.run(words, timeout, command.plain_environment(), user)
    if output.succeeded and "loaded" in output.stdout:
        return Proof(True, "loaded with libslurmfull.so, version compared; no srun here", "", "")
    text = output.stderr + output.stdout
    return Proof(
        False,
        "loaded with libslurmfull.so",
        spank_diagnosis.from_output(text, plugin, running, output.signal, output.timed_out),
        text[-2000:],
    )
