"""Modules of this package as one program, for a host that has Python 3.9 and nothing of ours."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path

PACKAGE = Path(__file__).parent
# Linux refuses a longer single argument (131072 bytes: MAX_ARG_STRLEN, with its end), and srun hands the probe on so.
ARGUMENT_LIMIT = 131_000
# All of them may take a quarter of the stack that the account is given (execve(2)), of which some have but 2 MiB.
LIMIT = 4 * ARGUMENT_LIMIT
# What the probe and the launcher are made of, besides the checks.
PROBE = (
    "model", "framing", "outputs", "probing", "reading", "slurm", "smi", "storage", "kernel", "ranks", "groups", "nccl",
    "packages", "probe",
)  # fmt: skip
LAUNCHER = ("framing", "outputs", "step", "allocation", "launcher")
STEWARD = (*LAUNCHER, "slurm_text", "drain", "steward")
# What is the collection's, under whose name it is imported there as well.
SHARED = dict.fromkeys(("slurm_text", "packages"), "ansible_collections.slipway.containers.plugins.module_utils")

# Puts the program together again and leaves to it the arguments that are its own.
STARTER = (
    "import base64,sys,zlib;end=2+int(sys.argv[1]);packed=''.join(sys.argv[2:end]);del sys.argv[1:end];"
    "exec(zlib.decompress(base64.b64decode(packed)))"
)
# Runs before anything else there: gives `import validate.x` the sources out of SOURCES.
LOADER = """
import importlib.abc, importlib.util, sys
class _Sources(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(self, name, path=None, target=None):
        if name in SOURCES:
            return importlib.util.spec_from_loader(name, self, is_package=name in PACKAGES)
    def create_module(self, spec):
        return None
    def exec_module(self, module):
        exec(compile(SOURCES[module.__name__], module.__name__, "exec"), module.__dict__)
sys.meta_path.insert(0, _Sources())
"""


def file_of(module: str) -> Path:
    """Return where the source of a module lies: the collection has those of SHARED."""
    return (PACKAGE.parent / "plugins/module_utils" if module in SHARED else PACKAGE) / f"{module}.py"


def sources(modules: Iterable[str], checks: Mapping[str, str]) -> dict[str, str]:
    """Return module name -> source of the modules and of the checks (module name -> source)."""
    found = {"validate": "", "validate.checks": ""}
    for name in modules:
        if name in SHARED:
            words = SHARED[name].split(".")
            found.update({".".join(words[:end]): "" for end in range(1, len(words) + 1)})
        found[f"{SHARED.get(name, 'validate')}.{name}"] = file_of(name).read_text(encoding="utf-8")
    found.update({f"validate.checks.{name}": text for name, text in checks.items()})
    return found


def program(found: Mapping[str, str], entry: str) -> str:
    """Return the Python text that makes the modules importable and calls ``entry`` (module:function)."""
    module, function = entry.split(":")
    packages = [name for name, text in found.items() if not text]
    head = f"SOURCES = {json.dumps(dict(found))}\nPACKAGES = {json.dumps(packages)}\n"
    return f"{head}{LOADER}\nfrom {module} import {function}\n{function}()\n"


def arguments(text: str) -> list[str]:
    """Return a program as what stands between ``python3 -I -c`` and its own arguments; raises ValueError."""
    packed = base64.b64encode(zlib.compress(text.encode(), 9)).decode()
    if len(packed) > LIMIT:
        raise ValueError(
            f"the probe has {len(packed)} bytes, and a command may have {LIMIT}: "
            "choose fewer checks, or shorten the longest"
        )
    parts = [packed[at : at + ARGUMENT_LIMIT] for at in range(0, len(packed), ARGUMENT_LIMIT)]
    return [STARTER, str(len(parts)), *parts]
