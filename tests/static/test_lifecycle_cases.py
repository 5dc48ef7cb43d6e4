"""Every case of the platforms' contracts has a test that carries its number, or a reason for having none."""

from __future__ import annotations

from pathlib import Path

import pytest

from docs import cases

ROOT = Path(__file__).parents[2]


def test_every_case_is_accounted_for() -> None:
    found, problems = cases.read(ROOT)
    if problems:
        pytest.fail("\n".join(problems), pytrace=False)
    assert [case.number for case in found] == sorted(
        (case.number for case in found), key=lambda number: ("REINDPSUX".index(number[0]), int(number[1:]))
    )


def test_the_table_is_fresh() -> None:
    if (ROOT / cases.PAGE).read_text() != cases.render(cases.read(ROOT)[0]):
        pytest.fail("run `make docs`: %s is stale" % cases.PAGE, pytrace=False)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("- number: R1\n", "- number: R0\n", "unknown case R1"),
        ("  tests:\n", "  tests:\n    - tests/unit/plugins/test_files.py::test_gone\n", "is there no more"),
        ("  excluded: ", "  needs: ''\n  expected: ", "neither a test nor a reason"),
    ],
)
def test_a_planted_fault_is_found(tmp_path: Path, old: str, new: str, said: str) -> None:
    for name in ("tests", "docs"):
        (tmp_path / name).symlink_to(ROOT / name)
    target = tmp_path / "copy"
    (target / "tests/unit").mkdir(parents=True)
    for name in ("plugins", "lifecycle"):
        (target / "tests/unit" / name).mkdir()
        for path in (ROOT / "tests/unit" / name).glob("*"):
            if path.is_file():
                (target / "tests/unit" / name / path.name).write_bytes(path.read_bytes())
    text = (target / cases.CASES).read_text()
    assert old in text
    (target / cases.CASES).write_text(text.replace(old, new, 1))
    assert any(said in problem for problem in cases.read(target)[1])
