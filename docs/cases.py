"""Generate docs/reference/lifecycle-cases.md: every case of the platforms' contracts, and what proves it.

``make docs`` writes; the static test compares. A test carries its case as ``pytest.mark.case("R1")``.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from docs.table import cell

ROOT = Path(__file__).resolve().parents[1]
CASES = Path("tests/unit/lifecycle/cases.yml")
PAGE = Path("docs/reference/lifecycle-cases.md")
SECTIONS = {
    "R": "Inputs and role detection",
    "E": "Environment",
    "N": "Package manager and network",
    "I": "Idempotence, concurrency, interruption",
    "D": "Disks",
    "P": "Components already present",
    "S": "Slurm",
    "U": "Users",
    "X": "Secrets and reporting",
}
COUNT = 143


@dataclass
class Case:
    """One case; it is proven, partly proven, still waits for something, or is excluded."""

    number: str
    input: str
    expected: str
    tests: list[str] = field(default_factory=list)
    needs: str = ""
    contract: str = ""
    excluded: str = ""

    @property
    def state(self) -> str:
        """The state in a word."""
        if self.excluded:
            return "excluded"
        if self.tests:
            return "partly" if self.needs else "by contract" if self.contract else "passing"
        return "needs scenario" if self.needs.startswith("scenario") else "not yet"


def marked(path: Path) -> Iterator[tuple[str, str]]:
    """Yield (case, test) for every test of a file that carries a case."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.FunctionDef):
            continue
        for decorator in node.decorator_list:
            if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) in ("case", "pytest.mark.case"):
                for argument in decorator.args:
                    if isinstance(argument, ast.Constant):
                        yield str(argument.value), node.name


def functions(path: Path) -> set[str]:
    """Return the names of a file's tests, {} where there is no such file."""
    if not path.is_file():
        return set()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def read(root: Path = ROOT) -> tuple[list[Case], list[str]]:
    """Return every case with its tests, and what is wrong with the list."""
    cases = [Case(**entry) for entry in yaml.safe_load((root / CASES).read_text(encoding="utf-8"))]
    by_number = {case.number: case for case in cases}
    problems = [] if len(by_number) == COUNT else ["%s has %d cases, not %d" % (CASES, len(by_number), COUNT)]
    for case in cases:
        for test in case.tests:
            name, _colons, function = test.partition("::")
            if function not in functions(root / name):
                problems.append("%s: %s is there no more: name the test that proves it now" % (case.number, test))
    for path in sorted((root / "tests").rglob("test_*.py")):
        for number, function in marked(path):
            if number not in by_number:
                problems.append("%s: %s carries the unknown case %s" % (path, function, number))
            else:
                test = "%s::%s" % (path.relative_to(root), function)
                by_number[number].tests += [] if test in by_number[number].tests else [test]
    for case in cases:
        if not case.tests and not case.needs and not case.excluded:
            problems.append("%s has neither a test nor a reason for having none" % case.number)
        if case.contract and not case.tests:
            problems.append("%s is said to be proven by contract and has no test" % case.number)
        if case.tests and case.excluded:
            problems.append("%s is excluded and has a test" % case.number)
    return cases, problems


def render(cases: list[Case]) -> str:
    """Return the page."""
    states = ["passing", "by contract", "partly", "needs scenario", "not yet", "excluded"]
    counts = {state: sum(case.state == state for case in cases) for state in states}
    lines = [
        "# Cases of the lifecycle hooks",
        "",
        "Generated from `%s` and from the marks of the tests by `make docs`." % CASES,
        "What the contracts of HyperPod, ParallelCluster and user-data imply: %d cases, " % len(cases)
        + ", ".join("%d %s" % (counts[state], state) for state in states)
        + ".",
        "",
        "*passing*: a test proves it.",
        "*by contract*: tests prove it; what is named rests on recorded or made facts: no machine here has it.",
        "*partly*: a test proves it but for what is named.",
        "*needs scenario*: it needs a node, and that test is still to come.",
        "*not yet*: it waits for a role or a machine.",
        "*excluded*: there will be no test, for the reason named.",
    ]
    for letter, title in SECTIONS.items():
        lines += ["", "## %s" % title, "", "| Case | Given | Expected | State | By |", "|---|---|---|---|---|"]
        for case in cases:
            if case.number.startswith(letter):
                cells = (case.number, case.input, case.expected, case.state, evidence(case))
                lines.append("| %s |" % " | ".join(map(cell, cells)))
    return "\n".join(lines) + "\n"


def evidence(case: Case) -> str:
    """Return the tests of a case, and what is missing."""
    shown = ["`%s`" % test.rpartition("/")[2] for test in case.tests]
    contract = "by contract: %s" % case.contract if case.contract else ""
    return "; ".join([*shown, *(text for text in (case.needs, contract, case.excluded) if text)])


if __name__ == "__main__":
    (ROOT / PAGE).write_text(render(read()[0]), encoding="utf-8")
