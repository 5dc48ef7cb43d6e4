"""What the benchmark says of a hook: the bytes of its bundle, and its seconds."""

from __future__ import annotations

from cluster.process import Result

from bench import hook
from bench.usage import Usage

MIB = hook.MEBIBYTE
MANIFEST = {
    "wheels": {"3.9/x86_64": ["a.whl"], "3.13/x86_64": ["a.whl", "b.whl"]},
    "files": {
        "collections/x/a.py": {"size": MIB},
        "collections/x/b.py": {"size": MIB},
        "site/group_vars/all/x.yml": {"size": MIB // 2},
        "wheels/a.whl": {"size": 3 * MIB},
        "wheels/b.whl": {"size": 5 * MIB},
    },
}


def test_the_parts_of_a_bundle() -> None:
    assert hook.sizes(MANIFEST) == {"wheels": 8 * MIB, "collections": 2 * MIB, "site": MIB // 2}
    assert hook.unpacked(MANIFEST, "3.9/x86_64") == 3 * MIB
    lines = hook.size_table(MANIFEST, 11 * MIB).splitlines()
    assert lines[1].split() == ["wheels", "8.0", "2"]
    assert lines[-2].split() == ["wheels", "of", "3.13/x86_64", "8.0", "2"]
    assert lines[-1].split() == ["the", "whole", "tar", "11.0", "5"]


def run_of(wall: float, changed: bool = False, **steps: float) -> hook.HookRun:
    report = {
        "steps": [{"name": name, "duration": seconds} for name, seconds in steps.items()],
        "tasks": [{"name": "Write", "changed": changed}, {"name": "Look", "changed": False}],
    }
    return hook.HookRun("compute1", 0, "one\nslipway: done\n", Usage(wall, 0.0, wall / 2), report)


def test_a_run_is_timed_and_its_report_read() -> None:
    files = {"/var/log/slipway/on-create.json": "{}"}
    asked = []

    def execute(command: str) -> Result:
        asked.append(command)
        verb, _space, path = command.partition(" ")
        if verb == "rm":
            files.pop(path.removeprefix("-f "), None)
        elif verb == "bash":
            return Result(1, "broken\n", "")
        return Result(0, files.get(path, ""), "")

    found = hook.measure(execute, "no such container", "compute1", "on-create", "bash /src/on_create.sh")
    assert asked[1] == "bash /src/on_create.sh"
    assert (found.code, found.last_line, found.report) == (1, "broken", {}), "an earlier report is not this run's"
    done = run_of(7.0, changed=True, site=6.5)
    assert (done.changed, done.steps, done.last_line) == (["Write"], {"site": 6.5}, "slipway: done")


def test_the_table_of_seconds() -> None:
    floor = [Usage(40.0, 0.0, 20.0)] * 3
    bare = [run_of(50.0, site=45.0), run_of(60.0, site=55.0), run_of(90.0, site=80.0)]
    again = [run_of(9.0, lock=0.01), run_of(31.0)]
    measured = hook.Measured(floor, bare, [run_of(20.0)], again)
    text = measured.table()
    assert "bare node: hook                          50.0     60.0     90.0     30.0" in text
    assert [line.split() for line in text.splitlines() if "site" in line] == [["site", "55.0"]]
    assert "lock" not in text, "a step of no length"
    assert "ratio to the floor 1.50, of CPU seconds 1.50" in text
    assert "once more, nothing to do: hook: 31.0 s, above the goal of 30 s" in text
    first = {"wall": 9.0, "control": 0.0, "nodes": 4.5, "steps": {"lock": 0.01}}
    assert measured.figures()["again"] == [first, {"wall": 31.0, "control": 0.0, "nodes": 15.5, "steps": {}}]
