"""What a host of the cluster must be like, in sentences; each failure shows what was found."""

from __future__ import annotations

import pytest
from testinfra.host import Host

from validate.settings import Settings

DAEMONS = {"compute": ["munge", "slurmd"], "login": ["munge"], "controller": ["munge", "slurmctld"]}
# testinfra's service module asks systemctl, which needs no right for that.
PROGRAMS = {"enroot": "enroot", "docker": "docker", "apptainer": "apptainer"}


@pytest.mark.parametrize("which", [0, 1])
def test_slurms_daemons_run(host: Host, role: str, which: int) -> None:
    """Munge, and the daemon of the host's role."""
    units = DAEMONS[role]
    if which >= len(units):
        pytest.skip(f"a {role} host has no daemon of its own")
    assert host.service(units[which]).is_running, host.run("systemctl status %s", units[which]).stdout


@pytest.mark.parametrize("command", ["srun", "sbatch", "salloc"])
def test_slurms_commands_know_container_image(host: Host, role: str, site_settings: Settings, command: str) -> None:
    """Where pyxis is used, jobs can ask for an image."""
    if "pyxis" not in site_settings.runtimes or role == "controller":
        pytest.skip("no pyxis here")
    done = host.run("%s --help", command)
    assert "--container-image" in done.stdout, done.stderr


@pytest.mark.parametrize("runtime", sorted(PROGRAMS))
def test_the_programs_of_the_site_are_on_the_path(host: Host, role: str, site_settings: Settings, runtime: str) -> None:
    """As a job finds them."""
    if runtime not in site_settings.runtimes or role == "controller":
        pytest.skip(f"validate_runtimes does not name {runtime}")
    assert host.exists(PROGRAMS[runtime]), host.run("echo $PATH").stdout


def test_enroots_hooks_are_executable(host: Host, role: str, site_settings: Settings) -> None:
    """A hook without its x bit does nothing, and says nothing."""
    if role != "compute":
        pytest.skip("jobs run on compute nodes")
    for name in site_settings.hooks:
        hook = host.file(f"/etc/enroot/hooks.d/{name}")
        assert hook.exists, f"{name} is missing"
        assert hook.mode & 0o111 == 0o111, f"{name} {hook.mode:04o}"


def test_dockers_socket_is_closed_to_others(host: Host) -> None:
    """Whoever may write to it is root."""
    socket = host.file("/run/docker.sock")
    if not socket.exists:
        pytest.skip("there is none")
    assert socket.mode & 0o007 == 0, f"{socket.mode:04o} {socket.user}:{socket.group}"


def test_a_user_may_make_a_user_namespace(host: Host, role: str) -> None:
    """What enroot needs first."""
    if role != "compute":
        pytest.skip("containers start on compute nodes")
    done = host.run("unshare --user --map-root-user true")
    assert done.rc == 0, done.stderr


@pytest.mark.parametrize("name", ["/", "/tmp", "/run", "/dev/shm"])  # noqa: S108 - looked at, not written
def test_there_is_room(host: Host, name: str) -> None:
    """Less than 95 % of the blocks and of the inodes."""
    for option in ("pcent", "ipcent"):
        text = host.run("df --output=%s %s", option, name).stdout.split()
        used = text[-1].rstrip("%") if text else ""
        assert not used.isdigit() or int(used) < 95, f"{name}: {option} {used} %"
