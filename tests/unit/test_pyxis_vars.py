"""The role pyxis waits for what its newest look sees; ansible_facts are older while a task is retried."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.unit import plays
from tests.unit.plays import REPOSITORY

pytestmark = pytest.mark.slow

BEFORE = {"plugstack": {"registrations": [{}], "loaded": ["/p.so"]}}
AFTER: dict[str, Any] = {"plugstack": {"registrations": [], "loaded": []}}
# Answers like slurm_facts: the first look still sees the registration.
MODULE = """#!%s
import json, os
again = os.path.exists(%r)
open(%r, "w").close()
print(json.dumps({"changed": False, "ansible_facts": {"slurm": json.loads(%r if again else %r)}}))
"""


def test_a_wait_ends_with_the_look_that_sees_it(tmp_path: Path) -> None:
    mark = str(tmp_path / "mark")
    (tmp_path / "library").mkdir()
    module = tmp_path / "library" / "look.py"
    module.write_text(MODULE % (sys.executable, mark, mark, json.dumps(AFTER), json.dumps(BEFORE)))
    play = {
        "hosts": "localhost",
        "gather_facts": False,
        "vars_files": [str(REPOSITORY / "roles/pyxis/vars/main.yml")],
        "tasks": [
            {"look": {}, "register": "__pyxis_followed"},
            {"ansible.builtin.file": {"path": mark, "state": "absent"}},
            {
                "look": {},
                "register": "__pyxis_followed",
                "retries": 3,
                "delay": 0,
                "until": "__pyxis_forgotten | bool or __pyxis_followed['attempts'] > 3",
                "failed_when": False,
            },
            {"ansible.builtin.assert": {"that": ["__pyxis_forgotten | bool", "__pyxis_followed['attempts'] == 2"]}},
        ],
    }
    done = plays.run(tmp_path, play)
    assert done.returncode == 0, done.stdout
