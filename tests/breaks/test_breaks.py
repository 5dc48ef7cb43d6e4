"""A deliberate break of a hook's code makes exactly one case fail: what the table of cases says is not said lightly.

Each break of tests/unit/lifecycle/breaks.yml is made in a copy of lifecycle/, and all its tests run there but the
slow ones. A test without a number may fail along.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml

from docs.cases import marked

ROOT = Path(__file__).parents[2]
TESTS = Path("tests/unit/lifecycle")
SAMPLE = 2


@dataclass(frozen=True)
class Break:
    """A text of a file that is replaced, and the case that fails for it."""

    case: str
    file: str
    text: str
    replacement: str


def breaks() -> list[Break]:
    """Return the breaks to try: all with BREAKS=all, else the first ones."""
    found = [Break(**entry) for entry in yaml.safe_load((ROOT / TESTS / "breaks.yml").read_text())]
    return found if os.environ.get("BREAKS") == "all" else found[:SAMPLE]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A repository in which only lifecycle/ and its tests are copies; everything else leads back here."""
    copied = {"tests", "lifecycle"}
    for path in ROOT.iterdir():
        if path.name not in copied and not path.name.startswith((".sandbox", ".pytest_cache")):
            (tmp_path / path.name).symlink_to(path)
    without = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "lifecycle", tmp_path / "lifecycle", ignore=without)
    shutil.copytree(ROOT / TESTS, tmp_path / TESTS, ignore=without)
    (tmp_path / "tests/fixtures").symlink_to(ROOT / "tests/fixtures")
    return tmp_path


def failing(copy: Path) -> list[str]:
    """Run the copy's tests; returns the names of those that fail."""
    result = copy / "result.xml"
    command = [sys.executable, "-m", "pytest", "-q", "-m", "not slow", "--tb=no", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, "--rootdir", copy, "--junitxml", result, TESTS],
        cwd=copy,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    found = ElementTree.parse(result).iter("testcase")
    return [
        case.attrib["name"].partition("[")[0]
        for case in found
        if case.find("failure") is not None or case.find("error") is not None
    ]


@pytest.mark.slow
@pytest.mark.parametrize("broken", breaks(), ids=lambda broken: broken.case)
def test_a_break_of_the_sample_fails_exactly_its_case(copy: Path, broken: Break) -> None:
    path = copy / broken.file
    text = path.read_text()
    assert text.count(broken.text) == 1, "%s has the text no more, or twice: %s" % (broken.file, broken.text)
    path.write_text(text.replace(broken.text, broken.replacement))
    by_test: dict[str, set[str]] = {}
    for file in (ROOT / TESTS).glob("test_*.py"):
        for case, test in marked(file):
            by_test.setdefault(test, set()).add(case)
    failed = failing(copy)
    assert set().union(*(by_test.get(test, set()) for test in failed)) == {broken.case}, failed


def test_the_sample_is_of_twenty_cases_at_least() -> None:
    entries = yaml.safe_load((ROOT / TESTS / "breaks.yml").read_text())
    assert len({entry["case"] for entry in entries}) == len(entries) >= 20
    for entry in entries:
        text = (ROOT / entry["file"]).read_text()
        assert text.count(entry["text"]) == 1, entry
