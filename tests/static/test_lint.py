"""The linters, each as one test: `make lint`."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.static import house

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
PROGRAMS = Path(sys.executable).parent
# What mypy checks strictly: programs, and what can be imported without Ansible's runtime.
TYPED = (
    "lifecycle",
    "validate",
    "molecule/sandbox",
    "tests/sandbox",
    "tests/standins",
    "docs",
    "bench",
    "plugins/module_utils",
)


def run(*command: str | Path) -> None:
    """Run a linter in the repository; its own output is the message."""
    environment = {**os.environ, "NO_COLOR": "1", "PATH": "%s:%s" % (PROGRAMS, os.environ["PATH"])}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.fail("%s\n%s%s" % (" ".join(map(str, command)), done.stdout, done.stderr), pytrace=False)


def typed() -> list[str]:
    return [name for name in TYPED if house.files(ROOT, name + "/**/*.py")]


def shell_scripts() -> list[str]:
    """Every shell script: by its suffix or by its first line."""
    found = []
    for path in house.files(ROOT):
        with path.open("rb") as stream:
            first = stream.readline(100)
        if re.match(rb"#!.*\b(ba|da)?sh\b", first) or (path.suffix == ".sh" and not first.startswith(b"#!")):
            found.append(str(path.relative_to(ROOT)))
    return found


def test_ruff() -> None:
    run(PROGRAMS / "ruff", "check", "--quiet", "--output-format", "concise", ".")


def test_mypy() -> None:
    run(PROGRAMS / "mypy", *typed())


def test_yamllint() -> None:
    run(PROGRAMS / "yamllint", "--strict", ".")


def test_ansible_lint() -> None:
    run(PROGRAMS / "ansible-lint", "--nocolor", "-q", "--format", "pep8")


def test_shellcheck() -> None:
    program = PROGRAMS / "shellcheck"
    found = str(program) if program.exists() else shutil.which("shellcheck")
    if not found:
        pytest.fail("shellcheck is missing: run `make venv`, or apt-get install shellcheck", pytrace=False)
    run(found, "--external-sources", *shell_scripts())


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("ruff", "import os\n"),
        ("mypy", "def f(x):\n    return x\n"),
        ("yamllint", "a:   1\n"),
        ("ansible-lint", "- hosts: all\n  tasks:\n    - shell: echo\n"),
        ("shellcheck", "#!/bin/sh\necho $1\n"),
    ],
)
def test_the_linter_finds_a_planted_fault(tmp_path: Path, name: str, text: str) -> None:
    """Each linter reads this repository's settings and fails on a fault."""
    suffix = {"yamllint": "yml", "ansible-lint": "yml", "shellcheck": "sh"}.get(name, "py")
    path = tmp_path / "playbooks" / ("fault." + suffix)
    path.parent.mkdir()
    path.write_text(text)
    options = {
        "ruff": ["check", "--config", ROOT / "pyproject.toml"],
        "mypy": ["--config-file", ROOT / "pyproject.toml", "--exclude", "^$"],
        "yamllint": ["--strict", "--config-file", ROOT / ".yamllint"],
        "ansible-lint": ["--offline", "--config-file", ROOT / ".ansible-lint", "--project-dir", tmp_path],
        "shellcheck": [],
    }[name]
    with pytest.raises(pytest.fail.Exception, match=re.escape(path.name)):
        run(PROGRAMS / name, *options, path)
