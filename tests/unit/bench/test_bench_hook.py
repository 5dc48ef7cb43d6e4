"""What the benchmark says of a hook: the bytes of its bundle, and its seconds."""

from __future__ import annotations

import json

from bench import hook

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


def test_a_run_is_timed_and_its_report_read() -> None:
    asked = []
    steps = [{"name": "judge the node", "duration": 0.1}, {"name": "playbook site", "duration": 7.5}]

    def ask(command: str) -> str:
        asked.append(command)
        return json.dumps({"changed": False, "steps": steps}) if command.startswith("cat") else ""

    found = hook.measure(ask, "compute1", "on-create", "bash /src/on_create.sh")
    assert asked == ["bash /src/on_create.sh > /dev/null", "cat /var/log/slipway/on-create.json"]
    assert (found.changed, dict(found.steps)["playbook site"]) == (False, 7.5)
    lines = hook.run_table([found]).splitlines()
    assert lines[1].split()[0] == "compute1" and lines[1].split()[-1] == "no" and lines[3].split()[-1] == "7.5"
