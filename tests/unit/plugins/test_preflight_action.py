"""The action ``preflight`` as Ansible runs it: values are templated, and the file to edit is found."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).parents[3]
FILES = {
    "roles/toy/meta/argument_specs.yml": """
argument_specs:
  main:
    options:
      toy_state: {type: str, choices: [present, absent, unmanaged], default: present}
      toy_version: {type: str, default: 1.0.0}
      toy_path: {type: path, default: '{{ toy_base }}/x'}
      toy_base: {type: path, default: /srv}
      toy_list: {type: list, elements: str}
      toy_token: {type: str}
      toy_number: {type: int, required: true}
""",
    "roles/toy/defaults/main.yml": """
toy_state: present
toy_version: 1.0.0
toy_base: /srv
toy_path: '{{ toy_base }}/x'
""",
    "roles/toy/vars/main.yml": """
__toy_distributions: {Debian: ['12']}
__toy_denied_versions: [{version: 1.0.1, reason: it breaks}]
__toy_other: "{{ not_templated }}"
__toy_secret: !vault |
  $ANSIBLE_VAULT;1.1;AES256
""",
    "roles/toy/tasks/main.yml": "[]\n",
    "roles/mill/meta/argument_specs.yml": """
argument_specs:
  main:
    options:
      mill_state: {type: str, choices: [present, absent, unmanaged], default: present}
      mill_version: {type: str, default: '2'}
""",
    "roles/mill/defaults/main.yml": "mill_state: present\nmill_version: '2'\n",
    "roles/mill/vars/main.yml": """
__mill_file: mill_{{ mill_version }}.deb
__mill_files_needed: "{{ [{'filename': __mill_file}] if ansible_facts['distribution'] == 'Debian' else [] }}"
""",
    "roles/mill/tasks/main.yml": "[]\n",
    "site/hosts.yml": """
all:
  children:
    compute:
      hosts:
        node1: {toy_list: 'a,b'}
        node2:
        node3: {toy_state: unmanaged, toy_nonsense: 1}
        node4:
""",
    "site/group_vars/all/toy.yml": """
# toy_number: here is a comment
toy_number: "{{ [1, 2] | length }}"
toy_path: "{{ toy_base }}/sub"
toy_tokn: hunter2
""",
    "site/group_vars/compute.yml": "toy_version: '{{ toy_denied }}'\ntoy_denied: 1.0.1\nmill_state: unmanaged\n",
    "site/host_vars/node4.yml": "artifact_mirror: /nowhere\nmill_state: present\n",
    "site/host_vars/node2.yml": "toy_list: '{{ nowhere_defined }}'\ntoy_token: ['{{ nowhere_defined }}']\n",
    "extra.yml": "toy_base: [1]\n",
    "play.yml": """
- name: Judge
  hosts: all
  gather_facts: false
  tasks:
    - name: Judge
      slipway.containers.preflight:
        components: [toy, tory, mill]
        roles_path: "{{ playbook_dir }}/roles"
      vars:
        ansible_facts: {distribution: Debian, distribution_major_version: '12'}
      register: __judged
    - name: Report
      ansible.builtin.copy:
        dest: "{{ playbook_dir }}/out.json"
        mode: '0600'
        content: "{{ {'problems': __problems, 'report': __problems | slipway.containers.preflight_report} | to_json }}"
      vars:
        __problems: "{{ dict(ansible_play_hosts | zip(ansible_play_hosts
          | map('extract', hostvars, ['__judged', 'problems']))) }}"
      delegate_to: localhost
      run_once: true
""",
}


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Run the action once over an inventory with every kind of fault."""
    directory = tmp_path_factory.mktemp("preflight")
    for name, content in FILES.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    done = subprocess.run(
        [
            Path(sys.executable).with_name("ansible-playbook"),
            "play.yml",
            "-i",
            "site/hosts.yml",
            "-c",
            "local",
        ]
        + ["-e", "ansible_python_interpreter=" + sys.executable, "-e", "toy_cli=1", "-e", "@extra.yml"],
        env={
            **{key: value for key, value in os.environ.items() if not key.startswith("ANSIBLE_")},
            "ANSIBLE_COLLECTIONS_PATH": str(REPOSITORY / "playbooks/collections"),
            "ANSIBLE_INJECT_FACT_VARS": "false",
        },
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    result: dict[str, Any] = json.loads((directory / "out.json").read_text())
    result["log"] = done.stdout + done.stderr
    return result


def found(judged: dict[str, Any], host: str) -> dict[str, tuple[str, str]]:
    return {item["variable"]: (item["problem"], item["file"]) for item in judged["problems"][host]}


def test_every_fault_has_its_file(judged: dict[str, Any]) -> None:
    assert found(judged, "node1") == {
        "toy_list": ("is text", "site/hosts.yml:6"),
        "toy_base": ("is a list", "extra.yml:1, given as extra vars (-e)"),
        "toy_cli": ("is not an input of any role", "extra vars (-e)"),
        "toy_tokn": ("is not an input of any role", "site/group_vars/all/toy.yml:5"),
        "toy_version": ("is denied: it breaks", "site/group_vars/compute.yml:1"),
        "toy_denied": ("is not an input of any role", "site/group_vars/compute.yml:2"),
        "components": ("there is no role of this name", ""),
    }


def test_undefined_variables_are_named(judged: dict[str, Any]) -> None:
    problem, file = found(judged, "node2")["toy_list"]
    assert problem.startswith("cannot be evaluated")
    assert "nowhere_defined" in problem
    assert file == "site/host_vars/node2.yml:1"


def test_an_unmanaged_component_is_skipped(judged: dict[str, Any]) -> None:
    assert set(found(judged, "node3")) == {"components"}


def test_a_file_that_a_host_is_to_get_and_the_mirror_lacks(judged: dict[str, Any]) -> None:
    told = ("lacks /nowhere/mill_2.deb, which this host is to get", "site/host_vars/node4.yml:1")
    assert found(judged, "node4")["artifact_mirror"] == told
    assert "artifact_mirror" not in found(judged, "node1")


def test_secrets_do_not_show(judged: dict[str, Any]) -> None:
    assert "hunter2" not in judged["report"] + judged["log"] + json.dumps(judged["problems"])


def test_the_report_groups_the_hosts(judged: dict[str, Any]) -> None:
    assert "hosts:     3: node[1-2,4]" in judged["report"]
    assert "hosts:     4: node[1-4]" in judged["report"]
