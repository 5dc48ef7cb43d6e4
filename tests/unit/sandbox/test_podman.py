from pathlib import Path

import pytest
from cluster.podman import NodeContainer, containers_conf, exec_arguments, run_arguments


def node(flavour):
    return NodeContainer(
        node="compute1",
        role="compute",
        address="10.89.0.11",
        image="localhost/x:1",
        network="slipway-ab12",
        identity="slipway-12345678",
        sandbox="slipway",
        distribution="trixie",
        state=Path("/repo/.sandbox"),
        flavour=flavour,
    )


def test_a_node_on_a_v1_host_whole():
    assert run_arguments(node("v1")) == [
        "run",
        "--detach",
        "--name=slipway-compute1",
        "--hostname=compute1",
        "--network=slipway-ab12:ip=10.89.0.11,alias=compute1",
        "--label=slipway.sandbox=slipway-12345678",
        "--label=slipway.sandbox.node=compute1",
        "--label=slipway.sandbox.role=compute",
        "--label=slipway.sandbox.address=10.89.0.11",
        "--label=slipway.sandbox.distribution=trixie",
        "--privileged",
        "--systemd=false",
        "--cgroupns=private",
        "--tmpfs=/run:mode=755,exec",
        "--tmpfs=/run/lock",
        "--tmpfs=/tmp:mode=1777,exec",
        "--env=container=podman",
        "--stop-signal=SIGRTMIN+3",
        "--volume=/scratch",
        "--volume=/repo/.sandbox/home:/home",
        "--volume=/repo/.sandbox/images:/images",
        "--volume=/repo/.sandbox/seed:/etc/slipway-sandbox:ro",
        "localhost/x:1",
        "/lib/systemd/systemd",
        "SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1",
        "systemd.unified_cgroup_hierarchy=0",
    ]


def test_on_a_v2_host_podman_knows_of_systemd_and_systemd_needs_no_arguments():
    v1, v2 = run_arguments(node("v1")), run_arguments(node("v2"))
    assert v2[-1] == "/lib/systemd/systemd"
    assert set(v1) - set(v2) == {
        "--systemd=false",
        "SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1",
        "systemd.unified_cgroup_hierarchy=0",
    }
    assert set(v2) - set(v1) == {"--systemd=always"}


@pytest.mark.parametrize(("flavour", "runtime"), [("v1", "runc"), ("v2", "crun")])
def test_the_runtime_follows_the_cgroups(flavour, runtime):
    text = containers_conf(flavour, 20000, 96365, 32768)
    assert f'runtime = "{runtime}"' in text
    assert 'cgroup_manager = "cgroupfs"' in text
    assert 'firewall_driver = "iptables"' in text


@pytest.mark.parametrize(
    ("nofile", "nproc", "pid_max", "expected"),
    [
        (20000, 96365, 32768, '["nofile=20000:20000", "nproc=32768:32768"]'),
        (20000, 9000, 32768, '["nofile=20000:20000", "nproc=9000:9000"]'),
        (-1, -1, 4194304, '["nofile=1048576:1048576", "nproc=4194304:4194304"]'),
    ],
)
def test_limits_are_never_above_what_the_machine_allows(nofile, nproc, pid_max, expected):
    assert f"default_ulimits = {expected}" in containers_conf("v1", nofile, nproc, pid_max)


def test_a_users_command_has_the_users_home():
    arguments = exec_arguments("abc", ["id"], "member")
    assert "--env=HOME=/home/member" in arguments
    assert "--user=member" in arguments
    assert arguments[-2:] == ["abc", "id"]
    assert "--tty" not in arguments
    assert "--tty" in exec_arguments("abc", ["id"], interactive=True)
