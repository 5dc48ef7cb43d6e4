import importlib.util
import json
from pathlib import Path

import pytest
from cluster import state
from cluster.settings import from_environment
from cluster.state import Cluster, Node

SCRIPT = Path(__file__).resolve().parents[3] / "inventories" / "sandbox" / "hosts.py"


@pytest.fixture
def hosts():
    spec = importlib.util.spec_from_file_location("sandbox_hosts", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def repository(tmp_path, monkeypatch):
    monkeypatch.delenv("SANDBOX_NAME", raising=False)
    for name, directory in (("slipway", ".sandbox"), ("bench", ".sandbox-bench")):
        (tmp_path / directory).mkdir()
        nodes = (
            Node("head", "controller", "10.89.0.2", "a"),
            Node("login1", "login", "10.89.0.3", "b"),
            Node("compute1", "compute", "10.89.0.11", "c"),
        )
        cluster = Cluster(name, "trixie", "v1", f"{name}-ab12", nodes, {"artifact_mirror": "/m"})
        state.save(tmp_path / directory, cluster)
    return tmp_path


def listed(hosts, repository, capsys):
    assert hosts.main(["--list"], repository) == 0
    return json.loads(capsys.readouterr().out)


def test_groups_are_those_of_every_inventory(hosts, repository, capsys):
    answer = listed(hosts, repository, capsys)
    assert answer["slurm_cluster"]["children"] == ["controller", "login", "compute"]
    assert [answer[name]["hosts"] for name in ("controller", "login", "compute")] == [
        ["head"],
        ["login1"],
        ["compute1"],
    ]
    assert answer["_meta"]["hostvars"]["compute1"]["ansible_host"] == "10.89.0.11"


def test_variables_are_the_connection_and_those_of_the_cluster(hosts, repository, capsys):
    answer = listed(hosts, repository, capsys)
    assert answer["all"]["vars"]["artifact_mirror"] == "/m"
    found = answer["slurm_cluster"]["vars"]
    assert found["ansible_user"] == "root"
    assert found["ansible_ssh_private_key_file"] == f"{repository}/.sandbox/ssh/id_ed25519"
    assert "StrictHostKeyChecking=yes" in found["ansible_ssh_common_args"]
    assert f"{repository}/.sandbox/ssh/known_hosts" in found["ansible_ssh_common_args"]
    assert "ControlPersist" in found["ansible_ssh_args"]


def test_the_control_sockets_are_where_the_driver_ends_them(hosts, repository, capsys, monkeypatch):
    monkeypatch.setenv("SANDBOX_NAME", "bench")
    found = listed(hosts, repository, capsys)["slurm_cluster"]["vars"]
    settings = from_environment({"SANDBOX_NAME": "bench"}, repository)
    assert found["ansible_control_path_dir"] == str(settings.runtime / "ssh")
    assert "/.sandbox-bench/" in found["ansible_ssh_private_key_file"]


def test_without_a_sandbox_the_way_to_one_is_said(hosts, tmp_path, capsys):
    assert hosts.main(["--list"], tmp_path) == 1
    assert capsys.readouterr().err == "no sandbox is running: run `make sandbox`\n"


def test_the_script_can_be_started_by_ansible():
    assert SCRIPT.stat().st_mode & 0o111
