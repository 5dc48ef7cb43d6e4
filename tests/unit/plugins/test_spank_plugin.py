"""The module spank_plugin, with an srun and sbatch of a few lines."""

import base64
import hashlib
import os

import pytest
from ansible_collections.slipway.containers.plugins.modules import spank_plugin

REGISTERED = 'grep -q "^required .*spank_pyxis.so" "$(dirname $SLURM_CONF)/plugstack.conf"'
GOOD = REGISTERED + ' && echo "  --container-image=X --help"'


@pytest.fixture
def node(tmp_path, monkeypatch, plugin_file):
    """Make a node: programs that run a line of shell, a configuration, a plugin."""
    for directory in (tmp_path, *tmp_path.parents[:2]):
        os.chmod(directory, 0o755)
    config = tmp_path / "slurm.conf"
    config.write_text("ClusterName=x\nPlugStackConfig=/elsewhere\n")
    (tmp_path / "cli_filter.lua").write_text("--")
    plugin = tmp_path / "spank_pyxis.so"
    plugin.write_bytes(plugin_file())

    def build(srun=GOOD, sbatch=GOOD, version="24.11.5"):
        for name, line in (("srun", srun), ("sbatch", sbatch)):
            (tmp_path / name).write_text(f"#!/bin/sh\n{line}\n")
            (tmp_path / name).chmod(0o755)
        programs = {"srun": str(tmp_path / "srun") if srun else None, "scontrol": None, "slurmd": None}
        found = {
            "programs": programs,
            "library": str(tmp_path),
            "config": str(config),
            "source": "local",
            "version": version,
        }
        monkeypatch.setattr(spank_plugin, "find_slurm", lambda: found)
        monkeypatch.setattr(os, "uname", lambda: os.uname_result(("Linux", "n", "6", "1", "x86_64")))
        return str(plugin)

    return build


def test_proves_and_switches_once(run_module, node, tmp_path):
    link = tmp_path / "fixed" / "spank_pyxis.so"
    path = node()
    result = run_module("spank_plugin", check=True, path=path, link=str(link), switch=True)
    assert result["proven"] and result["changed"] and not link.parent.exists()
    result = run_module("spank_plugin", path=path, link=str(link), switch=True)
    assert result["changed"] and result["link_before"] is None and os.readlink(link) == path
    assert "srun --help and sbatch --help" in result["proof"] and result["cause"] == ""
    assert not run_module("spank_plugin", path=path, link=str(link), switch=True)["changed"]


def test_missing_and_other_checksum_need_a_copy(run_module, node, tmp_path):
    path = node()
    result = run_module("spank_plugin", path=path + "x", link=str(tmp_path / "l"), switch=True)
    assert result["needs_copy"] and not result["proven"] and not result["changed"] and "failed" not in result
    result = run_module("spank_plugin", path=path, sha256="0" * 64)
    assert result["needs_copy"] and "expected is 0000" in result["cause"]
    assert run_module("spank_plugin", path=path, sha256=result["sha256"].upper())["needs_copy"] is False


def test_content_is_proven_beside_its_place(run_module, node, tmp_path, plugin_file):
    offers_candidate = GOOD.replace("spank_pyxis.so", "candidate.so")
    node(srun=offers_candidate, sbatch=offers_candidate)
    path = tmp_path / "new" / "spank_pyxis.so"
    given = {"path": str(path), "content": base64.b64encode(plugin_file()).decode(), "link": str(tmp_path / "link")}
    given["sha256"] = hashlib.sha256(plugin_file()).hexdigest()
    assert run_module("spank_plugin", check=True, switch=True, **given)["needs_copy"] and not path.parent.exists()
    result = run_module("spank_plugin", switch=True, **given)
    assert result["proven"] and result["changed"] and not result["needs_copy"]
    assert path.read_bytes() == plugin_file() and os.readlink(given["link"]) == str(path)
    assert os.listdir(path.parent) == ["spank_pyxis.so"] and given["content"] not in str(result)


def test_content_replaces_another_file_only_when_proven(run_module, node, tmp_path, plugin_file):
    path = node(srun="exit 1")
    old, new = plugin_file(), plugin_file(symbol=b"plugin_version_")
    given = {"path": path, "content": base64.b64encode(new).decode()}
    result = run_module("spank_plugin", sha256=hashlib.sha256(new).hexdigest(), **given)
    assert not result["proven"] and not result["changed"] and result["cause"]
    result = run_module("spank_plugin", sha256="0" * 64, **given)
    assert "what was sent has the checksum" in result["cause"]
    with open(path, "rb") as stream:
        assert stream.read() == old
    assert not (tmp_path / "candidate.so").exists()


def test_what_is_there_is_not_replaced_by_the_same(run_module, node, plugin_file):
    path = node()
    inode = os.stat(path).st_ino
    given = {"path": path, "content": base64.b64encode(plugin_file()).decode()}
    assert not run_module("spank_plugin", sha256=hashlib.sha256(plugin_file()).hexdigest(), **given)["changed"]
    assert os.stat(path).st_ino == inode


@pytest.mark.parametrize("mode", [0o600, 0o664, 0o666])
def test_mode_and_owner_are_set_before_the_proof(run_module, node, mode):
    path = node(srun='test "$(stat -c %a $(dirname $0)/spank_pyxis.so)" = 644 && ' + GOOD)
    os.chmod(path, mode)
    if os.geteuid() == 0:
        os.chown(path, 1000, 1000)
    found = run_module("spank_plugin", path=path)
    assert not found["proven"] and not found["changed"], "without a checksum it is somebody else's"
    given = {"path": path, "sha256": found["sha256"]}
    assert run_module("spank_plugin", check=True, **given)["changed"]
    assert os.stat(path).st_mode & 0o777 == mode
    result = run_module("spank_plugin", **given)
    assert result["proven"] and result["changed"] and not result["needs_copy"]
    assert (os.stat(path).st_uid, os.stat(path).st_gid) == (os.geteuid(), os.getegid())
    assert not run_module("spank_plugin", **given)["changed"]


@pytest.mark.parametrize(
    ("programs", "cause"),
    [
        ({"srun": "exit 0"}, "does not offer the option"),
        ({"srun": "kill -BUS $$"}, "died of SIGBUS"),
        (
            {"srun": "echo 'x: Incompatible Slurm plugin /p.so version (22.05.8)' >&2; exit 1"},
            "for 22.05.8, and this node",
        ),
        (
            {"sbatch": "echo 'sbatch: error: pyxis: unknown configuration option: k=1' >&2; exit 1"},
            "the argument k=1",
        ),
        (
            {"srun": GOOD + "; echo 'option \"container-image\" provided by both a.so and b.so' >&2"},
            "registered twice",
        ),
        ({"version": "25.05.1"}, "was built for another Slurm: for 24.11.5, and this node runs 25.05.1"),
    ],
)
def test_not_proven_is_never_switched(run_module, node, tmp_path, programs, cause):
    link = tmp_path / "link"
    link.symlink_to("/old")
    result = run_module("spank_plugin", path=node(**programs), link=str(link), switch=True)
    assert cause in result["cause"]
    assert not result["proven"] and not result["changed"] and os.readlink(link) == "/old"


def test_a_hanging_command_is_bounded(run_module, node):
    result = run_module("spank_plugin", path=node(srun="sleep 30"), timeout=1)
    assert "did not end in time" in result["cause"]


def test_without_sbatch_support_only_its_help_is_wanted(run_module, node):
    path = node(sbatch='echo " --help"')
    assert run_module("spank_plugin", path=path, arguments={"sbatch_support": False})["proven"]
    assert not run_module("spank_plugin", path=path)["proven"]


def test_private_configuration_carries_the_neighbours(run_module, node):
    probe = "d=$(dirname $SLURM_CONF); test -f $d/cli_filter.lua && ! grep -q elsewhere $SLURM_CONF && "
    probe += 'grep -qx "PlugStackConfig=$d/plugstack.conf" $SLURM_CONF && '
    assert run_module("spank_plugin", path=node(srun=probe + GOOD))["proven"]


def test_live_names_what_is_registered(run_module, node, recorded):
    twice = recorded("slurm-24.11.5/help/registered-twice.srun.txt").splitlines()[0]
    path = node(srun=f"echo '--container-image'; echo '{twice}' >&2")
    assert "registered twice" in run_module("spank_plugin", path=path, configuration="live")["cause"]


def test_without_srun_the_loader_decides(run_module, node):
    result = run_module("spank_plugin", path=node(srun=""))
    assert not result["proven"] and result["proof"] == "loaded with libslurmfull.so" and result["cause"]


def test_no_slurm(run_module, node, monkeypatch):
    path = node()
    monkeypatch.setattr(spank_plugin, "find_slurm", lambda: None)
    assert run_module("spank_plugin", path=path)["cause"] == "no Slurm was found on this node"
