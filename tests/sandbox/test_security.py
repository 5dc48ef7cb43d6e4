"""The security table: what every node grants after a converge, what may be installed, and what no log holds.

One look at each node; `before.json` is the picture of the bare one. Modes of credentials: test_registry.py.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.sandbox import snapshots
from tests.sandbox.harness import Sandbox

pytestmark = pytest.mark.sandbox

# What root keeps closed: images, whose files are their authors' business, and containers that users unpacked.
CLOSED = ("/scratch/slipway/docker", "/scratch/slipway/containerd")
OF_USERS = ("/scratch/slipway/enroot/data", "/scratch/slipway/apptainer/tmp", "/scratch/slipway/apptainer/cache")
SOCKETS = ("/run/docker.sock", "/run/containerd/containerd.sock")
# Set-id programs that packages bring, each with its package and the reason why it may.
EXCUSED = {
    "/usr/bin/newuidmap": "uidmap, which Apptainer depends on: it gives a user the ids of /etc/subuid and no others",
    "/usr/bin/newgidmap": "uidmap, likewise for /etc/subgid",
    "/usr/bin/fusermount3": "fuse3, by which Apptainer mounts an image instead of unpacking it: nosuid and nodev",
}

LOOK = r"""
import json, os, stat, sys
closed, users, sockets = json.loads(sys.argv[1])
found = {"open": [], "setid": [], "modes": {}, "entered": []}
for root in ("/", "/scratch", "/run", "/tmp", "/dev/shm"):
    device = os.lstat(root).st_dev
    for base, directories, names in os.walk(root):
        kept = []
        for name in directories:
            path = os.path.join(base, name)
            info = os.lstat(path)
            if info.st_dev != device or stat.S_ISLNK(info.st_mode) or path in closed:
                continue
            if info.st_mode & 0o002 and not info.st_mode & stat.S_ISVTX and not base.startswith(tuple(users)):
                found["open"].append(path)
            # Below these lies what belongs to one user each.
            if base not in users:
                kept.append(name)
        directories[:] = kept
        for name in names:
            path = os.path.join(base, name)
            try:
                info = os.lstat(path)
            except FileNotFoundError:
                continue
            if stat.S_ISREG(info.st_mode) and info.st_mode & 0o6000:
                found["setid"].append(path)
for path in [*closed, *sockets]:
    if os.path.lexists(path):
        info = os.lstat(path)
        found["modes"][path] = "%04o %d:%d" % (stat.S_IMODE(info.st_mode), info.st_uid, info.st_gid)
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def looks(sandbox: Sandbox) -> dict[str, dict[str, Any]]:
    sandbox.settle()
    asked = json.dumps([CLOSED, OF_USERS, SOCKETS])
    nodes = {node.name: node.id for node in sandbox.cluster.nodes}
    return {
        name: json.loads(sandbox.podman.execute(identifier, "python3", "-c", LOOK, asked).stdout)
        for name, identifier in nodes.items()
    }


def test_no_directory_is_everybodys(looks: dict[str, dict[str, Any]]) -> None:
    assert {node: look["open"] for node, look in looks.items() if look["open"]} == {}


def set_id(picture: snapshots.Snapshot) -> set[str]:
    """Return the set-id files of a picture; a value is a letter, the mode in octal, and more."""
    return {path for path, value in picture.items() if value.startswith("- ") and int(value.split()[1], 8) & 0o6000}


def test_no_program_gained_the_rights_of_its_owner(
    looks: dict[str, dict[str, Any]], before: dict[str, snapshots.Snapshot]
) -> None:
    for node, look in looks.items():
        known = set_id(before[node])
        # The bare node has sudo: a picture that holds none of them proves nothing.
        assert "/usr/bin/sudo" in known and "/usr/bin/sudo" in look["setid"]
        gained = set(look["setid"]) - known
        assert gained <= set(EXCUSED), (node, gained)


def test_the_sockets_are_closed(sandbox: Sandbox, looks: dict[str, dict[str, Any]]) -> None:
    for node, look in looks.items():
        docker = sandbox.ask(node, "getent group docker | cut -d: -f3")
        assert look["modes"][SOCKETS[0]] == f"0660 0:{docker}", node
        assert look["modes"][SOCKETS[1]] == "0660 0:0", node


def test_nobody_enters_the_data_of_docker(looks: dict[str, dict[str, Any]]) -> None:
    for node, look in looks.items():
        modes = {path: int(look["modes"][path].split()[0], 8) for path in CLOSED}
        assert all(not mode & 0o006 for mode in modes.values()), (node, modes)


# What may be installed


@pytest.fixture(scope="module")
def lock(sandbox: Sandbox) -> dict[str, Any]:
    content = yaml.safe_load((sandbox.settings.state / "artifacts.lock.yml").read_text())
    assert content["artifacts"]
    return dict(content)


def test_every_artifact_has_a_checksum(sandbox: Sandbox, lock: dict[str, Any]) -> None:
    assert {path.name for path in sandbox.mirror.iterdir()} <= set(lock["artifacts"])
    for name, entry in lock["artifacts"].items():
        assert len(bytes.fromhex(entry["sha256"])) == 32, name


def test_what_is_not_locked_is_refused(sandbox: Sandbox, lock: dict[str, Any], tmp_path: Path) -> None:
    (name,) = (name for name in lock["artifacts"] if name.startswith("pyxis"))
    rest = {key: value for key, value in lock["artifacts"].items() if key != name}
    shorter = tmp_path / "artifacts.lock.yml"
    shorter.write_text(yaml.safe_dump({**lock, "artifacts": rest}))
    files = {"artifacts_lock_file": str(shorter), "artifacts_cache": str(tmp_path / "cache")}
    run = sandbox.converge("--tags", "pyxis", artifacts_all=True, **files).failed()
    (said,) = set(run.failures.values())
    assert "1 artifact problem; nothing was installed" in said and f"{name} (pyxis" in said
    assert "no checksum is known" in said and "run playbooks/lock.yml" in said
    assert run.total("changed") == 0
    sandbox.settled = True


# What is written down

SECRET = "it's-a-\\secret"
PROXY = "http://somebody:hunter2-password@proxy:3128"
INPUTS = {
    "registry_credentials": [{"registry": "nvcr.io", "username": "$oauthtoken", "password": SECRET}],
    "docker_config": {"insecure-registries": ["head:5000"], "proxies": {"https-proxy": PROXY}},
}


def test_no_log_holds_a_secret(sandbox: Sandbox) -> None:
    """The whole stack on one node, with all that Ansible can show; test_registry.py has them really written."""
    sandbox.settle()
    node = sandbox.computes[0]
    run = sandbox.converge("--check", "--diff", "-vvv", "--limit", node, **INPUTS).succeeded()
    sandbox.settled = True
    assert "daemon.json" in run.output and run.recap[node]["changed"]
    encoded = base64.b64encode(f"$oauthtoken:{SECRET}".encode()).decode()
    journal = sandbox.ask(node, "journalctl --no-pager --output=cat")
    calls = [line for line in journal.splitlines() if "Invoked with" in line and "insecure-registries" in line]
    assert calls, "the calls of modules are not in the journal: where are they?"
    for text in (run.output, journal):
        found = [secret for secret in (SECRET, repr(SECRET)[1:-1], encoded, "hunter2") if secret in text]
        assert not found, [line for line in text.splitlines() if found[0] in line][:3]
