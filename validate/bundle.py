"""Modules of this package as one program, for a host that has Python 3.9 and nothing of ours."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path

PACKAGE = Path(__file__).parent
# Linux refuses a longer single argument (MAX_ARG_STRLEN), and srun hands the probe on as one.
ARGUMENT_LIMIT = 131_072
# What the probe and the launcher are made of, besides the checks.
PROBE = ("model", "framing", "probing", "reading", "kernel", "ranks", "groups", "nccl", "probe")
LAUNCHER = ("framing", "step", "launcher")
STEWARD = (*LAUNCHER, "drain", "steward")

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


def sources(modules: Iterable[str], checks: Mapping[str, str]) -> dict[str, str]:
    """Return module name -> source of the modules and of the checks (module name -> source)."""
    found = {"validate": "", "validate.checks": ""}
    for name in modules:
        found[f"validate.{name}"] = (PACKAGE / f"{name}.py").read_text(encoding="utf-8")
    found.update({f"validate.checks.{name}": text for name, text in checks.items()})
    return found


def program(found: Mapping[str, str], entry: str) -> str:
    """Return the Python text that makes the modules importable and calls ``entry`` (module:function)."""
    module, function = entry.split(":")
    packages = ["validate", "validate.checks"]
    head = f"SOURCES = {json.dumps(dict(found))}\nPACKAGES = {json.dumps(packages)}\n"
    return f"{head}{LOADER}\nfrom {module} import {function}\n{function}()\n"


def argument(text: str) -> str:
    """Return a program as the one argument of ``python3 -I -c``; ValueError where it is too long for one."""
    packed = base64.b64encode(zlib.compress(text.encode(), 9)).decode()
    short = f"import base64,zlib;exec(zlib.decompress(base64.b64decode('{packed}')))"
    if len(short) >= ARGUMENT_LIMIT:
        raise ValueError(
            f"the probe has {len(short)} bytes and an argument may have {ARGUMENT_LIMIT}: "
            "choose fewer checks, or shorten the longest"
        )
    return short
