"""What site.yml does with --tags and --skip-tags: a component is left out without anything that the others need."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit import plays
from tests.unit.plays import REPOSITORY

pytestmark = pytest.mark.slow

COMPONENTS = ["docker", "nvidia_container_toolkit", "enroot", "pyxis", "apptainer"]
SHARED = ("storage : choose", "storage : configure", "artifacts : settled", "artifacts : gather", "artifacts : Install")
VARIABLES = [str(REPOSITORY / "roles" / role / "vars/main.yml") for role in ("artifacts", "storage")]


@pytest.mark.parametrize("left_out", ["storage", "registry", "register", *COMPONENTS])
def test_what_several_components_need_is_never_skipped_with_one(left_out: str) -> None:
    playbook = str(REPOSITORY / "playbooks/site.yml")
    command = [sys.executable, "-m", "ansible", "playbook", "-i", "localhost,", playbook, "--list-tasks"]
    listed = subprocess.run([*command, "--skip-tags", left_out], capture_output=True, text=True, check=True).stdout
    for task in SHARED:
        assert "slipway.containers.%s" % task in listed
    if left_out in COMPONENTS:
        assert not re.search("containers.%s : (?!register)" % left_out, listed)


def asked(directory: Path, *options: str) -> dict[str, Any]:
    """Return which components are installed, and whether storage is chosen and prepared, in a run with these."""
    tasks = yaml.safe_load((REPOSITORY / "roles/storage/tasks/main.yml").read_text())
    choose, prepare = (task["when"] for task in tasks)
    found = {
        "components": "{{ __artifacts_asked }}",
        "chosen": "{{ (%s) | bool }}" % choose,
        "prepared": "{{ (%s) | bool }}" % prepare,
    }
    copy = {"content": "{{ found | to_json }}", "dest": str(directory / "result"), "mode": "0644"}
    play = {
        "hosts": "localhost",
        "gather_facts": False,
        "vars_files": VARIABLES,
        "vars": {"artifacts_components": COMPONENTS, "storage_state": "present", "found": found},
        "tasks": [{"ansible.builtin.copy": copy, "tags": ["always"]}],
    }
    done = plays.run(directory, play, *options)
    assert done.returncode == 0, done.stdout + done.stderr
    return dict(json.loads((directory / "result").read_text()))


@pytest.mark.parametrize(
    ("options", "components", "chosen", "prepared"),
    [
        ("", COMPONENTS, True, True),
        ("--skip-tags apptainer", COMPONENTS[:-1], True, True),
        ("--skip-tags docker,enroot,pyxis,apptainer", ["nvidia_container_toolkit"], True, True),
        ("--skip-tags storage", COMPONENTS, True, False),
        ("--skip-tags register", COMPONENTS, True, True),
        ("--tags enroot", ["enroot"], True, True),
        ("--tags enroot,docker --skip-tags docker", ["enroot"], True, True),
        ("--tags storage", [], True, True),
        ("--tags nvidia_container_toolkit", ["nvidia_container_toolkit"], False, False),
        ("--tags registry", [], False, False),
        ("--tags register", [], False, False),
    ],
)
def test_what_a_run_is_asked_for(
    tmp_path: Path, options: str, components: list[str], chosen: bool, prepared: bool
) -> None:
    found = asked(tmp_path, *options.split())
    assert found == {"components": components, "chosen": chosen, "prepared": prepared}
