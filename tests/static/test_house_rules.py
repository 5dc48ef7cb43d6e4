"""Every house rule holds here, and every one is seen to fail on a planted fault."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.static import house

ROOT = Path(__file__).parents[2]

# The smallest repository that keeps every rule.
GOOD = {
    "roles/toy/README.md": "# toy\n",
    "roles/toy/meta/argument_specs.yml": """
argument_specs:
  main:
    options:
      toy_state: {type: str, description: x, default: present}
""",
    "roles/toy/defaults/main.yml": "toy_state: present\n",
    "roles/toy/vars/main.yml": "__toy_path: /etc/toy\n",
    "roles/toy/tasks/main.yml": """
- name: Configure it
  ansible.builtin.import_tasks: configure.yml
""",
    "roles/toy/tasks/configure.yml": """
- name: Configure | Ask
  ansible.builtin.command: {argv: [toy, --version]}
  changed_when: false
  register: __toy_answer
  when: ansible_facts['slurm']['installed']
""",
    "roles/toy/templates/etc/toy.conf.j2": "{{ slipway_managed | comment }}\n",
    "molecule/toy/molecule.yml": "scenario: {name: toy}\n",
    "molecule/toy/absent.yml": "- name: Take it out\n  hosts: all\n  tasks: []\n",
    "molecule/toy/present/test_toy.py": "def test_toy(): pass\n",
    "molecule/toy/absent/test_toy.py": "def test_toy(): pass\n",
    "playbooks/site.yml": "- name: Everything\n  hosts: all\n  tasks: []\n",
    "docs/operate/site.md": """# Title

Run `ansible-playbook playbooks/site.yml`. It runs the role toy.
See [here](#title).
""",
    "inventories/example/group_vars/all/toy.yml": "toy_state: present\n",
    "CHANGELOG.md": "# Changelog\n\n## [Unreleased]\n",
}


def task(text: str, name: str = "configure") -> dict[str, str]:
    return {"roles/toy/tasks/%s.yml" % name: "- name: Do\n" + text}


# Rule -> faults; a fault is files that replace those of GOOD. An empty text deletes the file.
FAULTS: dict[str, list[dict[str, str]]] = {
    "roles_are_complete": [{"roles/toy/%s" % name: ""} for name in house.ROLE_FILES],
    "roles_have_a_scenario": [
        {"molecule/toy/%s" % name: ""} for name in ("molecule.yml", "absent.yml", "present/test_toy.py")
    ],
    "roles_have_plain_names": [{"roles/Toy-Box/tasks/main.yml": "[]\n"}],
    "readmes_are_short": [{"roles/toy/README.md": "line\n" * 81}],
    "main_is_a_table_of_contents": [
        task("  ansible.builtin.debug: {msg: x}\n", "main"),
        {"roles/toy/tasks/main.yml": "# why\n" * 31},
    ],
    "task_files_are_short": [
        {"roles/toy/tasks/configure.yml": "# why\n" * 61},
        {"roles/toy/tasks/configure.yml": "- name: x\n  ansible.builtin.debug:\n" * 13},
        {
            "roles/toy/tasks/configure.yml": "- name: x\n  block:\n"
            + "    - name: x\n      ansible.builtin.debug:\n" * 12
        },
    ],
    "playbooks_are_short": [
        {"playbooks/site.yml": "- name: x\n  tasks:\n" + "    - a: 1\n" * 39},
        {"playbooks/site.yml": "- name: x\n  hosts: all\n- name: y\n  tasks:\n" + "    - a: 1\n" * 39},
    ],
    "plays_have_names": [{"playbooks/site.yml": "- hosts: all\n"}],
    "entry_points_are_called_without_extension": [
        task("  ansible.builtin.import_role: {name: toy, tasks_from: configure.yml}\n"),
        {"playbooks/site.yml": "- name: x\n  tasks:\n    - import_role:\n        tasks_from: 'x.yaml'\n"},
    ],
    "entry_points_have_specs": [
        task("  ansible.builtin.include_role: {name: slipway.containers.toy, tasks_from: configure}\n"),
        {"roles/toy/meta/argument_specs.yml": "argument_specs:\n  main: {}\n  remove: {}\n"},
        {
            "playbooks/site.yml": "- name: x\n  hosts: all\n  tasks:\n    - name: y\n"
            "      ansible.builtin.import_role: {name: toy, tasks_from: gone}\n"
        },
    ],
    "tasks_are_imported": [task("  ansible.builtin.include_tasks: x.yml\n")],
    "facts_are_read_from_ansible_facts": [
        task("  when: ansible_os_family == 'Debian'\n"),
        task("  when: hostvars[x]['ansible_default_ipv4']\n"),
        {"roles/toy/templates/etc/toy.conf.j2": "{{ slipway_managed }}\n{{ ansible_hostname }}\n"},
        {"inventories/example/group_vars/all/toy.yml": "toy_state: '{{ ansible_distribution }}'\n"},
    ],
    "facts_are_read_in_brackets": [
        task("  when: ansible_facts.os_family == 'x'\n"),
        task("  when: ansible_facts['slurm'].installed\n"),
    ],
    "roles_know_no_groups": [
        task("  when: inventory_hostname in groups['compute']\n"),
        task("  when: groups.compute\n"),
        task("  when: \"'compute' in group_names\"\n"),
    ],
    "internals_are_marked": [
        task("  register: result\n"),
        task("  register: __other_result\n"),
        task("  ansible.builtin.set_fact: {toy_done: true}\n"),
        task("  loop: []\n  loop_control: {loop_var: item_x}\n"),
        task("  vars: {name: 1}\n"),
        {"roles/toy/vars/main.yml": "toy_path: /etc/toy\n"},
    ],
    "inputs_have_their_prefix_or_are_shared": [
        {"roles/toy/meta/argument_specs.yml": "argument_specs: {main: {options: {path: {type: str}}}}\n"}
    ],
    "internals_have_no_default": [
        task("  when: __toy_answer | default(false)\n"),
        task("  when: __toy_answer['rc'] | d(1)\n"),
    ],
    "inputs_are_not_overwritten": [task("  ansible.builtin.set_fact: {toy_state: absent}\n")],
    "distributions_are_data": [task("  when: ansible_facts['os_family'] == 'Debian'\n")],
    "errors_are_not_ignored": [task("  ignore_errors: true\n")],
    "shell_says_why": [task("  ansible.builtin.shell: {cmd: a | b}\n  changed_when: false\n")],
    "commands_say_when_they_change": [
        task("  ansible.builtin.command: {argv: [x]}\n"),
        task("  block:\n    - name: y\n      ansible.builtin.command: x\n"),
    ],
    "downloads_have_checksums": [
        task("  ansible.builtin.get_url: {url: 'https://x', dest: /x}\n"),
        task("  ansible.builtin.uri: {url: 'https://x', dest: /x}\n"),
    ],
    "versions_are_named": [
        {"inventories/example/group_vars/all/toy.yml": "toy_version: latest\n"},
        {"inventories/example/group_vars/all/toy.yml": "toy_image: debian:latest\n"},
        task("  ansible.builtin.apt:\n    state: latest\n"),
    ],
    "modes_are_quoted": [task("  ansible.builtin.file: {path: /x, mode: 0644}\n")],
    "nothing_is_writable_for_all": [
        task("  ansible.builtin.file: {path: /x, mode: '0777'}\n"),
        task("  ansible.builtin.file: {path: /x, mode: '0666'}\n"),
        {"roles/toy/files/x.sh": "chmod 777 /x\n"},
    ],
    "templates_say_that_they_are_managed": [{"roles/toy/templates/etc/toy.conf.j2": "x = 1\n"}],
    "nothing_names_this_machine": [
        {"docs/develop/x.md": "http://10.1.2.3:8080/simple\n"},
        {"Makefile": "PYTHON = ~/.pyenv/versions/3.11/bin/python\n"},
        {"x.py": "PATH = '/opt/wheels'\n"},
    ],
    "links_resolve": [
        {"docs/develop/x.md": "[gone](gone.md)\n"},
        {"docs/develop/x.md": "[gone](../operate/site.md#nothing)\n"},
        {"docs/develop/x.md": "[gone](#nothing)\n"},
    ],
    "the_changelog_is_open": [{"CHANGELOG.md": "# Changelog\n\n## 0.1.0\n"}, {"CHANGELOG.md": ""}],
    "verbs_have_pages": [{"docs/operate/site.md": ""}, {"docs/operate/site.md": "toy\n"}],
    "components_are_in_the_docs": [{"docs/operate/site.md": "site.yml\n"}],
    "pages_are_short": [{"docs/develop/x.md": "line\n" * 151}],
    "inventories_are_by_component": [{"inventories/example/group_vars/all/misc.yml": "x: 1\n"}],
}


def build(root: Path, changes: dict[str, str]) -> Path:
    """Write the good repository with changes."""
    for name, text in {**GOOD, **changes}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if text:
            path.write_text(text)
    return root


@pytest.mark.parametrize("name", sorted(house.RULES))
def test_the_house_rule(name: str) -> None:
    """The rule holds in this repository."""
    found = house.RULES[name](ROOT)
    if found:
        pytest.fail("%s\n  %s" % (house.RULES[name].__doc__, "\n  ".join(found)), pytrace=False)


@pytest.mark.parametrize("name", sorted(house.RULES))
def test_the_rule_accepts_what_is_right(tmp_path: Path, name: str) -> None:
    assert house.RULES[name](build(tmp_path, {})) == []


@pytest.mark.parametrize(
    ("name", "fault"),
    [(name, fault) for name in sorted(FAULTS) for fault in FAULTS[name]],
    ids=["%s-%d" % (name, number) for name in sorted(FAULTS) for number in range(len(FAULTS[name]))],
)
def test_the_rule_finds_a_planted_fault(tmp_path: Path, name: str, fault: dict[str, str]) -> None:
    found = house.RULES[name](build(tmp_path, fault))
    assert found, "the rule %s did not notice %s" % (name, fault)
    assert all(": " in message for message in found)


def test_every_rule_has_a_planted_fault() -> None:
    assert set(FAULTS) == set(house.RULES)
