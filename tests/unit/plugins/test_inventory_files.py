"""The file named in a message is the one that sets the value."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.slipway.containers.plugins.module_utils import inventory_files as module


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("enroot_x: 1\n", 1),
        ("---\n# enroot_x: old\nenroot_x: 1\n", 3),
        ('  "enroot_x": 1\n', 1),
        ("{a: 1, enroot_x: 2}\n", 1),
        ("node1 ansible_host=x enroot_x=5\n", 1),
        ("[all:vars]\nenroot_x = 5\n", 2),
        ("my_enroot_x: 1\nenroot_xy: 2\nvalue: '{{ enroot_x }}'\n", 0),
        ("a: '{{ enroot_x == 3 }}'\n", 0),
        ("", 0),
    ],
)
def test_line_of(text: str, line: int) -> None:
    assert module.line_of("enroot_x", text) == line


def test_a_name_is_no_pattern() -> None:
    assert module.line_of("a.c(", "abc: 1\na.c(: 2\n") == 2


def test_the_winning_file_is_found(tmp_path: Path) -> None:
    inventory, playbook = tmp_path / "site", tmp_path / "playbooks"
    for path in (
        inventory / "group_vars/all/enroot.yml",
        inventory / "group_vars/compute.yml",
        inventory / "host_vars/node1/x.yml",
        playbook / "group_vars/all.yml",
    ):
        write(path, "enroot_x: 1\n")
    hosts = write(inventory / "hosts.yml", "enroot_x: 1\n")
    write(inventory / "group_vars/all/.enroot.yml.swp", "enroot_x: 1\n")

    def found(host: str, groups: list[str]) -> str:
        files = module.candidates([str(playbook), str(inventory)], [str(inventory)], host, groups)
        return module.locate("enroot_x", files)

    assert found("node1", ["compute"]) == "%s:1" % (inventory / "host_vars/node1/x.yml")
    assert found("node2", ["compute"]) == "%s:1" % (inventory / "group_vars/compute.yml")
    assert found("login", ["login"]) == "%s:1" % (playbook / "group_vars/all.yml")
    (playbook / "group_vars/all.yml").unlink()
    assert found("login", ["login"]) == "%s:1" % (inventory / "group_vars/all/enroot.yml")
    (inventory / "group_vars/all/enroot.yml").unlink()
    assert found("login", ["login"]) == "%s:1" % hosts


def test_what_cannot_be_read_is_passed_over(tmp_path: Path) -> None:
    binary = tmp_path / "binary.yml"
    binary.write_bytes(b"\xff\xfe")
    vault = write(tmp_path / "vault.yml", "$ANSIBLE_VAULT;1.1;AES256\n6162\n")
    files = [str(tmp_path / "gone"), str(tmp_path), str(binary), str(vault)]
    assert module.locate("enroot_x", files) == ""
    assert list(module.vaults(files)) == [str(vault)]
