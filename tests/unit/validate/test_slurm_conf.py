"""Which slurm.conf a host's commands read, and what is said where it, or the plugin stack beside it, is not there."""

from __future__ import annotations

import pytest

from tests.unit.validate.test_checks import judge, write
from validate import slurm
from validate.model import FAIL, PASS, SKIP, WARN
from validate.probing import Node

LINE = "required /x/spank_pyxis.so\n"


@pytest.fixture
def node(tmp_path, monkeypatch):
    """Return a node that is a directory, with Slurm's commands, and a library with a directory of its own in it."""
    monkeypatch.delenv("SLURM_CONF", raising=False)
    write(tmp_path, "prefix/bin/scontrol", "", 0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "prefix/bin"))
    library = tmp_path / "prefix/lib/slurm/libslurmfull.so"
    library.parent.mkdir(parents=True)
    library.write_bytes(b"x\0%s/slurm.conf\0/run/slurm/conf/slurm.conf\0/cm/etc/slurm.conf\0y")
    return Node(root=str(tmp_path))


def test_the_directory_that_is_built_in_comes_before_what_was_fetched(node, tmp_path):
    assert slurm.places(node) == ["/cm/etc/slurm.conf", "/run/slurm/conf/slurm.conf"]
    # Slurm does not look there, whatever lies there.
    write(tmp_path, "etc/slurm/slurm.conf", "")
    assert slurm.conf(node) == "/cm/etc/slurm.conf"
    write(tmp_path, "run/slurm/conf/slurm.conf", "")
    assert slurm.conf(node) == "/run/slurm/conf/slurm.conf"
    write(tmp_path, "cm/etc/slurm.conf", "")
    write(tmp_path, "cm/etc/plugstack.conf", LINE)
    assert slurm.conf(node) == "/cm/etc/slurm.conf"
    assert judge("H-04", slurm.plugstack(node)).status == PASS


def test_without_a_library_the_usual_directories_are_looked_into(node, tmp_path):
    (tmp_path / "prefix/lib/slurm/libslurmfull.so").unlink()
    write(tmp_path, "usr/local/etc/slurm.conf", "")
    assert slurm.conf(node) == "/usr/local/etc/slurm.conf"


def test_commands_that_fetch_their_configuration_have_no_stray_file(node):
    seen = slurm.plugstack(node)
    assert seen["conf"] == "" and seen["files"] == {}
    finding = judge("H-04", seen)
    assert finding.status == SKIP and "/cm/etc/slurm.conf" in finding.observed and "H-03" in finding.observed
    finding = judge("N-28", seen)
    assert finding.status == WARN and "slurmd has not fetched it" in finding.cause


@pytest.mark.parametrize("check", ["H-04", "N-28"])
def test_a_slurm_conf_that_the_environment_names_and_that_is_not_there_is_named(node, tmp_path, monkeypatch, check):
    write(tmp_path, "cm/etc/slurm.conf", "")
    monkeypatch.setenv("SLURM_CONF", "/gone/slurm.conf")
    finding = judge(check, slurm.plugstack(node))
    assert finding.status == FAIL and "SLURM_CONF names /gone/slurm.conf, which is not there" in finding.cause


def test_a_stray_slurm_conf_is_spoken_of_only_where_one_is_there(node, tmp_path):
    write(tmp_path, "cm/etc/slurm.conf", "")
    finding = judge("H-04", slurm.plugstack(node))
    assert finding.status == FAIL and "stray" not in finding.cause and "/cm/etc/plugstack.conf" in finding.cause
    # One without a plugin stack is none that this host should have read.
    write(tmp_path, "etc/slurm/slurm.conf", "")
    assert "stray" not in judge("H-04", slurm.plugstack(node)).cause
    write(tmp_path, "run/slurm/conf/slurm.conf", "")
    write(tmp_path, "run/slurm/conf/plugstack.conf", LINE)
    finding = judge("H-04", slurm.plugstack(node))
    assert "reads /cm/etc/slurm.conf, without a plugin stack, and not /run/slurm/conf/slurm.conf" in finding.cause
    assert judge("H-04", slurm.plugstack(node), settings={"runtimes": ["enroot"]}).status == PASS


def test_a_plugin_stack_that_slurm_conf_names_elsewhere_is_looked_for_there(node, tmp_path):
    write(tmp_path, "cm/etc/slurm.conf", "PlugStackConfig=/srv/stack.conf\n")
    finding = judge("N-28", slurm.plugstack(node))
    assert finding.status == FAIL and "/srv/stack.conf is not there" in finding.cause
    assert finding.fix.startswith("grep -i PlugStackConfig /cm/etc/slurm.conf")
