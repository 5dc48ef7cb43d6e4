"""Directories of runtimes that a prolog makes for each job, and directories that belong to somebody else."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.validate.conftest import GOOD
from tests.unit.validate.test_checks import judge
from validate import reading, storage
from validate.checks import n_10_storage, n_11_space
from validate.model import FAIL, PASS
from validate.probing import Node

PATHS = GOOD["N-10"]
CLOSED = {"write": "Permission denied"}
AT = {"owner": "root", "mode": "0755", "enters": True, "empty": False, "me": "member", "uid": 2001}


def with_place(key: str, **changes: Any) -> dict[str, Any]:
    return {**PATHS, key: {**PATHS[key], **changes}}


def of_job(number: int, **changes: Any) -> dict[str, Any]:
    """Return what a node has whose prolog mounts a directory for each job."""
    path = {"path": f"/local/{number}/data", "shape": "/local/JOB/data"}
    return with_place("ENROOT_DATA_PATH", **path, mount=f"/local/{number}", point="/local/JOB", **changes)


def test_mounts_of_each_job_are_the_same_on_nodes_of_different_jobs():
    nodes = {"a": of_job(71), "b": of_job(71), "c": of_job(72), "d": of_job(73)}
    for seen in nodes.values():
        assert judge("N-10", seen, fleet=nodes).status == PASS


@pytest.mark.parametrize(
    ("own", "others", "cause"),
    [
        (PATHS, 71, "/local/JOB is mounted for each job on the other nodes, and the jobs of this node have /scratch"),
        (of_job(71), None, "/local/JOB is mounted for each job on this node, and the jobs of the other nodes have"),
    ],
)
def test_a_mount_that_only_some_prologs_make_is_not_unmounted_by_hand(own, others, cause):
    own = {**own, "ENROOT_DATA_PATH": {**own["ENROOT_DATA_PATH"], "shape": None}}
    other = {name: of_job(others + at) if others else PATHS for at, name in enumerate("abc")}
    finding = judge("N-10", own, fleet={**other, "gpu001": own})
    assert finding.status == FAIL and finding.cause.startswith(cause)
    assert "umount" not in finding.fix and "mount /local" not in finding.fix and "prolog" in finding.fix


def test_older_results_are_compared_by_their_mounts_as_they_are():
    other = with_place("temporary files", mount="/old")
    finding = judge("N-10", other, fleet={**dict.fromkeys("abc", PATHS), "gpu001": other})
    assert finding.status == FAIL and "umount /old" in finding.fix


@pytest.mark.parametrize(
    ("temporary", "configured", "left_out"),
    [
        ("{0}/x71", None, True),
        ("{0}/x71/", None, True),
        ("{0}/x71", "{0}/lasting", False),
        ("", "{0}/x71", False),
    ],
)
def test_what_tmpdir_decides_is_not_compared(tmp_path, monkeypatch, temporary, configured, left_out):
    for name in ("x71", "lasting"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("TMPDIR", temporary.format(tmp_path))
    for key in reading.ENROOT_KEYS:
        monkeypatch.setenv(key, str(tmp_path / "lasting"))
    if configured:
        monkeypatch.setenv("ENROOT_TEMP_PATH", configured.format(tmp_path))
    else:
        monkeypatch.delenv("ENROOT_TEMP_PATH")
    monkeypatch.setattr(reading, "mounts", lambda _node: reading.mounts_of("8 1 0:6 / / rw - ext4 none rw\n"))
    found = n_10_storage.observe(Node(root=str(tmp_path), name="gpu001"))
    place = found["ENROOT_TEMP_PATH"]
    assert ("ENROOT_TEMP_PATH" not in n_10_storage.paths(found)) is left_out
    assert ("ENROOT_TEMP_PATH" not in storage.mount_points(found)) is left_out
    assert (place["shape"] is None) is left_out and (place["point"] is None) is left_out
    assert "ENROOT_DATA_PATH" in storage.mount_points(found)


def test_a_tmpdir_that_all_users_share_is_compared(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", "/tmp")
    monkeypatch.delenv("ENROOT_TEMP_PATH", raising=False)
    assert n_10_storage.observe(Node(root=str(tmp_path)))["ENROOT_TEMP_PATH"]["shape"] == "/tmp"


def test_the_mount_of_a_job_is_observed_by_its_shape(tmp_path, monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "71")
    monkeypatch.setenv("ENROOT_DATA_PATH", str(tmp_path / "job_71/data"))
    (tmp_path / "job_71").mkdir()
    line = f"8 1 0:6 / {tmp_path}/job_71 rw - tmpfs none rw\n"
    monkeypatch.setattr(reading, "mounts", lambda _node: reading.mounts_of(line))
    place = n_10_storage.observe(Node(root=str(tmp_path)))["ENROOT_DATA_PATH"]
    assert (place["mount"], place["point"]) == (f"{tmp_path}/job_71", f"{tmp_path}/job_JOB")


@pytest.mark.parametrize(
    ("path", "shaped"),
    [
        ("/local/job_71/x", "/local/job_JOB/x"),
        ("/nvme71/71-a", "/nvme71/JOB-a"),
        ("/local/gpu001/x", "/local/NODE/x"),
        ("/local/gpu0012", "/local/gpu0012"),
    ],
)
def test_a_number_or_a_name_that_is_part_of_another_stays(monkeypatch, path, shaped):
    monkeypatch.setenv("SLURM_JOB_ID", "71")
    assert storage.shape(path, "gpu001") == shaped


SHARED = "where all users share it: chown root:root {0}; chmod 1777 {0}"
OWN = "chown member: {0}; chmod 0700 {0}"


@pytest.mark.parametrize(
    ("path", "at", "fix"),
    [
        ("/srv/enroot/cache", {}, SHARED),
        ("/srv/enroot/members", {}, SHARED),
        ("/srv/enroot/cache-2001", {}, OWN),
        ("/srv/member/cache", {}, OWN),
        ("/srv/12001/cache", {}, SHARED),
        # An account may have the name of a part of our own paths.
        ("/srv/enroot/cache", {"me": "enroot"}, SHARED),
        # Older results do not hold the account's number.
        ("/srv/enroot/cache-2001", {"uid": None}, SHARED),
        ("/srv/enroot/member", {"uid": None}, OWN),
    ],
)
def test_only_what_is_the_accounts_own_is_given_to_it(path, at, fix):
    at = {key: value for key, value in {**AT, **at, "path": path}.items() if value is not None}
    finding = judge("N-10", with_place("ENROOT_CACHE_PATH", path=path, **CLOSED, obstacle=at))
    assert finding.status == FAIL and finding.fix.startswith(fix.format(path))
    assert "0700" not in finding.fix or fix is OWN


def test_a_closed_directory_of_the_account_is_not_opened_to_all_for_what_is_in_it():
    at = {**AT, "path": "/home/member/.cache", "mode": "0700", "enters": False}
    finding = judge("N-10", with_place("ENROOT_CACHE_PATH", path="/home/member/.cache/enroot", **CLOSED, obstacle=at))
    assert finding.fix == OWN.format("/home/member/.cache")


def test_a_directory_that_a_prolog_made_for_the_job_is_mended_in_the_prolog():
    at = {**AT, "path": "/local/71", "shape": "/local/JOB"}
    for path in ("/local/71", "/local/71/data"):
        finding = judge("N-10", with_place("ENROOT_DATA_PATH", path=path, **CLOSED, obstacle=at))
        assert "for whose job it was made" in finding.cause and "makes /local/JOB" in finding.fix
        assert "chmod" not in finding.fix


def test_a_file_system_that_does_not_answer_is_given_up_and_said(tmp_path, monkeypatch):
    # Of its arguments the last one is the path.
    program = tmp_path / "stat"
    program.write_text('#!/bin/sh\ncase "$4" in */dead*) sleep 60;; esac\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("ENROOT_DATA_PATH", str(tmp_path / "dead" / "x"))
    monkeypatch.setattr(reading, "ANSWER", 0.5)
    seen = n_10_storage.observe(Node(root=str(tmp_path)))
    assert seen["ENROOT_DATA_PATH"]["write"] == storage.HUNG and seen["temporary files"]["write"] == ""
    assert not (tmp_path / "dead").exists()
    # By a link to a mount; one that is known for it is not waited for again.
    (tmp_path / "data").symlink_to("dead/disk")
    table = [{**mount, "point": point} for point in ("/", f"{tmp_path}/dead") for mount in reading.mounts(Node())[:1]]
    dead = set[str]()
    for _ in range(2):
        place = reading.given_up(Node(), f"{tmp_path}/data/x", table, dead)
        assert place["mount"] == f"{tmp_path}/dead" and dead == {place["mount"]}
        monkeypatch.setattr(reading, "silent", lambda _node, _paths: 1 / 0)
    monkeypatch.undo()
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("ENROOT_DATA_PATH", str(tmp_path / "dead" / "x"))
    monkeypatch.setattr(reading, "ANSWER", 0.5)
    finding = judge("N-10", with_place("ENROOT_DATA_PATH", mount="/raid", type="nfs4", write=storage.HUNG))
    assert "the file system on /raid does not answer" in finding.cause and "umount -l /raid" in finding.fix
    space = n_11_space.observe(Node(root=str(tmp_path)))
    assert space["data"] == "" and judge("N-11", {**GOOD["N-11"], "data": ""}).status == PASS
