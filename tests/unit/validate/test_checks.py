"""Each criterion on a good observation and on bad ones; what each says is what an admin reads at night."""

from __future__ import annotations

import contextlib
import copy
import json
import os
import shlex
import socket
import ssl
import subprocess
import threading
import types
from pathlib import Path
from typing import Any

import pytest

from tests.unit.validate.conftest import GOOD, NOW
from validate import kinds, plan, slurm, storage
from validate.catalogue import load
from validate.checks import (
    c_08_batch,
    c_10_file_systems,
    c_20_registry,
    d_01_group,
    d_02_socket,
    h_07_account,
    h_14_stack,
    l_01_leftovers,
    l_06_processes,
    n_03_gres,
    n_05_programs,
    n_06_packages,
    n_07_drift,
    n_09_capabilities,
    n_10_storage,
    n_11_space,
    n_12_hooks,
    n_22_limits,
    n_28_plugstack,
    n_29_daemons,
    n_30_alike,
    n_31_devices,
    n_32_loaded,
    n_33_unit,
)
from validate.model import ERROR, FAIL, PASS, SKIP, WARN, Context, Finding, Fleet
from validate.probing import Node, Output
from validate.reading import (
    enroot_paths,
    mount_of,
    mounts,
    mounts_of,
    restrictions,
    root_mount,
)
from validate.settings import Settings
from validate.storage import COMMON

SETTINGS = {
    "runtimes": ["enroot", "pyxis"], "hooks": ["50-slurm-pmi.sh", "50-slurm-pytorch.sh"], "container_start": 120,
    "image": "/images/probe.sqsh", "site_mounts": [],
}  # fmt: skip
HELLO = {"hostname": "gpu001", "root": "overlay:/", "release": "debian 13", "began": NOW - 1}


def judge(check: str, observed: Any, kind: str = "simulated", **more: Any) -> Finding:
    """Judge one observation on an otherwise good node."""
    steps = {step: {"hello": dict(HELLO), "received": NOW} for step in ("host", "container", "one_gpu", "after")}
    others = {**GOOD, **more.pop("others", {})}
    context = Context(
        node=more.pop("node", "gpu001"), profile=kinds.load()[kind], slurm={"gpus": more.pop("gpus", 8)}, steps=steps,
        others=others, fleet=Fleet(more.pop("fleet", {})), settings={**SETTINGS, **more.pop("settings", {})},
        cluster={"version": "24.11.5", **more.pop("cluster", {})}, received=NOW,
    )  # fmt: skip
    assert not more
    return load()[check].judge(observed, context)


def changed(check: str, **changes: Any) -> Any:
    return {**copy.deepcopy(GOOD[check]), **changes}


def with_number(name: str, number: str) -> dict[str, Any]:
    devices = GOOD["N-03"]["nvidia"]
    return {**devices, "numbers": {**devices["numbers"], name: number}}


def batch(**changes: Any) -> dict[str, Any]:
    return {**GOOD["C-08"], "runs": [{**GOOD["C-08"]["runs"][0], **changes}]}


def submit(place: str, **changes: Any) -> dict[str, Any]:
    places = GOOD["H-11"]["places"]
    return {**GOOD["H-11"], "places": {**places, place: {**places[place], **changes}}}


def stack(**programs: Any) -> dict[str, Any]:
    return {**GOOD["H-14"], "programs": {**GOOD["H-14"]["programs"], **programs}}


def own(**changes: Any) -> dict[str, Any]:
    return {**GOOD["H-11"], "own": {**GOOD["H-11"]["own"], **changes}}


def closed(name: str, mode: str) -> dict[str, Any]:
    devices = GOOD["N-03"]["nvidia"]
    openable = [other for other in devices["openable"] if other != name]
    return {**devices, "openable": openable, "modes": {**devices["modes"], name: mode}}


BUSY = {"pid": 77, "account": "guest", "command": "yes", "share": 0.3, "seconds": 60}
PARTITION = GOOD["H-07"]["partition"]
NO_HOME = {"path": "/home/member", "problem": "No such file or directory", "mount": "/", "type": "ext4"}
SMALL = {"size": 2**40, "free": 2**20, "used": 0.999, "inodes": 0.1}
LINE = {"file": "/etc/slurm/plugstack.conf", "flag": "required", "plugin": "/x/spank_pyxis.so"}
PATHS = GOOD["N-10"]
# check, what was observed, verdict, words of the finding
BAD: list[tuple[str, Any, str, str]] = [
    ("H-01", {"code": 0, "stdout": "Slurmctld(primary) at head is DOWN\n", "stderr": ""}, FAIL, "DOWN"),
    ("H-01", {"code": None, "stdout": "", "stderr": ""}, FAIL, "nothing within"),
    ("H-03", changed("H-03", sbatch={"knows": False, "said": ""}), FAIL, "sbatch"),
    ("H-04", changed("H-04", pyxis=[LINE, LINE]), FAIL, "exactly one"),
    ("H-04", changed("H-04", pyxis=[]), FAIL, "no pyxis"),
    ("H-04", changed("H-04", pyxis=[{**LINE, "flag": "optional"}]), FAIL, "required line"),
    ("H-04", changed("H-04", files={"/etc/slurm/plugstack.conf.d/sedAb12": "Permission denied"}), FAIL, "sedAb12"),
    ("N-28", changed("H-04", files={"/etc/slurm/plugstack.conf.d/x.conf~": ""}), FAIL, "no .conf"),
    ("H-11", submit("/", free=0, used=1.0), FAIL, "/ is 100% full"),
    ("H-11", submit("/", inodes=1.0), FAIL, "100% of its inodes"),
    ("H-11", submit("/", used=0.95), WARN, "/ is 95% full"),
    ("H-11", submit("/home/member", used=0.95), PASS, "enough"),
    ("H-11", submit("/home/member", free=0), FAIL, "/home/member is"),
    ("H-11", submit("/home/member", read_only=True), FAIL, "read-only"),
    ("H-11", own(problem="No such file or directory"), FAIL, "/home/member: No such file"),
    ("H-11", own(problem="no answer within 3 s"), FAIL, "/home/member: no answer"),
    ("H-11", own(problem="Permission denied"), FAIL, "/home/member: Permission denied"),
    ("H-11", own(writable=False, owner="guest"), FAIL, "guest's, mode 0700"),
    ("H-11", {name: GOOD["H-11"][name] for name in ("places", "home")}, PASS, "enough"),
    ("H-11", changed("H-11", home="/nonexistent", own={}), PASS, "enough"),
    ("H-11", changed("H-11", shared={"/tmp": {"mode": 0o755, "owner": "root", "writable": False}}), FAIL, "mode 0755"),
    ("H-11", changed("H-11", shared={"/tmp": {"mode": 0o777, "owner": "root", "writable": True}}), FAIL, "mode 0777"),
    ("H-11", changed("H-11", shared={"/tmp": {"mode": 0o700, "owner": "member", "writable": True}}), PASS, "enough"),
    ("H-12", changed("H-12", controller=int(NOW) + 60), FAIL, "60 s behind slurmctld"),
    ("H-12", changed("H-12", controller=int(NOW) - 60), FAIL, "59 s ahead of slurmctld"),
    ("H-12", changed("H-12", controller=None, code=1), ERROR, "sdiag"),
    ("H-12", changed("H-12", controller=None), SKIP, "sdiag of this Slurm"),
    ("H-13", changed("H-13", stdout="munge.service loaded failed failed x\n"), FAIL, "munge.service"),
    ("H-13", changed("H-13", stdout="apt-daily.service loaded failed failed x\n"), PASS, "others: apt-daily"),
    ("H-13", changed("H-13", code=1, stderr="no bus"), ERROR, "no bus"),
    ("H-14", stack(enroot={"path": "/usr/bin/enroot", "code": 1, "said": "it ended with 1"}), FAIL, "it ended with 1"),
    ("H-14", stack(apptainer={"path": "/usr/bin/apptainer", "code": None, "said": ""}), FAIL, "no answer within 8 s"),
    ("H-14", stack(enroot={"path": "", "code": None, "said": ""}), PASS, "apptainer, docker"),
    ("H-14", changed("H-14", group=False), PASS, "docker"),
    ("H-14", changed("H-14", boot={"munge": {"state": "active", "enabled": "disabled"}}), WARN, "munge: runs, and is"),
    ("H-14", changed("H-14", boot={"munge": {"state": "inactive", "enabled": "disabled"}}), PASS, "enroot"),
    (
        "H-14",
        changed("H-14", boot={"munge": {"state": "active", "enabled": "disabled"}}, platform=True),
        PASS,
        "enroot",
    ),
    ("H-05", changed("H-05", ConstrainDevices="no"), FAIL, "ConstrainDevices=no"),
    ("H-05", changed("H-05", ProctrackType="proctrack/linuxproc"), FAIL, "linuxproc"),
    ("H-05", dict.fromkeys(GOOD["H-05"], ""), ERROR, "none of them"),
    ("H-05", changed("H-05", ConstrainRAMSpace=""), FAIL, "ConstrainRAMSpace=(not set)"),
    ("H-05", changed("H-05", ConstrainCores="no"), WARN, "ConstrainCores=no"),
    ("H-05", changed("H-05", ConstrainCores="no", TaskPlugin="task/cgroup"), FAIL, "ConstrainCores=no"),
    ("H-06", {"code": 0, "stdout": "none\npmi2\n", "stderr": ""}, FAIL, "pmi2"),
    ("H-07", {"code": 1, "stdout": "", "stderr": "allocation failure: Invalid partition"}, FAIL, "Invalid partition"),
    ("H-07", changed("H-07", partition=PARTITION | {"State": "DOWN"}), FAIL, "somebody closed the partition"),
    ("H-07", changed("H-07", partition=PARTITION | {"AllowGroups": "ops,adm"}), FAIL, "partition main allows ops,adm"),
    ("H-08", changed("H-08", size=100), FAIL, "8000 bytes"),
    ("H-08", changed("H-08", magic="\x7fELF"), FAIL, "squashfs"),
    ("H-08", changed("H-08", sum="a" * 64), FAIL, "damaged after it was made"),
    ("H-08", {"file": "/images/probe.sqsh", "problem": "Permission denied"}, FAIL, "Permission denied"),
    # As it was stored before the nodes were named.
    ("C-08", {"code": 42, "stdout": "", "stderr": ""}, PASS, "in the image"),
    ("C-08", batch(code=43), FAIL, "gpu001: the script saw the node's own system"),
    ("C-08", batch(code=1, stderr="sbatch: unrecognized option"), FAIL, "unrecognized"),
    ("C-08", batch(code=None, stdout="Submitted batch job 9"), ERROR, "not run to its end"),
    ("C-08", batch(code=44), ERROR, "what is mounted on /"),
    ("C-08", batch(known=False), ERROR, "what is mounted on /"),
    ("C-08", {"runs": [*batch()["runs"], *batch(node="gpu002", code=43)["runs"]]}, FAIL, "gpu002: the script"),
    ("N-02", "slurm-wlm 22.05.8", FAIL, "22.05.8"),
    ("N-02", "", ERROR, "neither"),
    ("N-03", changed("N-03", nvidia={"devices": ["nvidia0"], "openable": ["nvidia0"]}), FAIL, "devices 1"),
    ("N-03", changed("N-03", nvidia=with_number("nvidia1", "195:0")), FAIL, "nvidia0 is 195:0, nvidia1 is 195:0"),
    ("N-03", changed("N-03", nvidia={**GOOD["N-03"]["nvidia"], "openable": ["nvidia0"]}), FAIL, "cannot be opened"),
    ("N-05", changed("N-05", enroot=""), FAIL, "enroot"),
    ("N-05", changed("N-05", srun=""), FAIL, "Slurm's own programs are not on the job's PATH"),
    ("N-05", {name: path for name, path in GOOD["N-05"].items() if name != "srun"}, PASS, "/usr/bin/enroot"),
    ("N-06", changed("N-06", enroot="4.1.0-1"), FAIL, "enroot#261"),
    ("N-06", changed("N-06", **{"enroot version": "3.5.0"}), FAIL, "the program says 3.5.0"),
    ("N-08", changed("N-08", limit=0), FAIL, "max_user_namespaces"),
    ("N-08", changed("N-08", code=None), FAIL, "hangs"),
    ("N-08", changed("N-08", code=1, stderr="unshare: unshare failed: Operation not permitted"), FAIL, "not permitted"),
    ("N-09", changed("N-09", **{"enroot-aufs2ovlfs": ""}), FAIL, "aufs2ovlfs: none"),
    ("N-09", changed("N-09", **{"enroot-aufs2ovlfs": "0000000300002008"}), PASS, "both"),
    # cap_net_raw=ep, and cap_sys_admin alone for the one that makes device files too.
    ("N-09", changed("N-09", **{"enroot-mksquashovlfs": "0100000200200000" + 24 * "0"}), FAIL, "not cap_sys_admin"),
    ("N-09", changed("N-09", **{"enroot-aufs2ovlfs": "0100000200002000" + 24 * "0"}), FAIL, "and not cap_mknod"),
    ("N-09", changed("N-09", locked=True), FAIL, "NoNewPrivileges=yes in slurmd's unit"),
    ("N-09", changed("N-09", nosuid=["/usr"]), FAIL, "/usr is mounted nosuid"),
    ("N-10", {**PATHS, "ENROOT_DATA_PATH": {**PATHS["ENROOT_DATA_PATH"], "type": "lustre"}}, FAIL, "nodes share"),
    ("N-10", {**PATHS, "ENROOT_DATA_PATH": {**PATHS["ENROOT_DATA_PATH"], "options": "rw,noexec"}}, FAIL, "noexec"),
    (
        "N-10",
        {**PATHS, "temporary files": {**PATHS["temporary files"], "path": "/tmp", "write": "Permission denied"}},
        FAIL,
        "temporary files /tmp: Permission denied",
    ),
    ("N-10", {**PATHS, "temporary files": {**PATHS["temporary files"], "write": "No space left on device"}}, PASS, ""),
    ("N-10", {**PATHS, "temporary files": {**PATHS["temporary files"], "write": "Disk quota exceeded"}}, FAIL, "quota"),
    (
        "N-10",
        {**PATHS, "shared memory": {**PATHS["shared memory"], "write": "Permission denied"}},
        FAIL,
        "/dev/shm: Perm",
    ),
    ("N-10", {**PATHS, "temporary files": {**PATHS["temporary files"], "mode": 0o777}}, FAIL, "no sticky bit"),
    ("N-10", {**PATHS, "temporary files": {**PATHS["temporary files"], "mode": 0o700}}, PASS, ""),
    ("N-10", {**PATHS, "pyxis": {**PATHS["pyxis"], "write": "/run/x is missing"}}, FAIL, "is missing"),
    ("N-11", {"places": {"/run": SMALL}, "data": "/"}, FAIL, "/run is 100% full"),
    (
        "N-11",
        {"places": {"/": {**GOOD["N-11"]["places"]["/"], "inodes": 0.95}}, "data": "/"},
        FAIL,
        "95% of its inodes",
    ),
    ("N-11", {"places": {"/": {**SMALL, "used": 0.5}}, "data": "/"}, FAIL, "0.0 GiB free"),
    ("N-12", {"50-slurm-pmi.sh": "not executable", "50-slurm-pytorch.sh": ""}, FAIL, "not executable"),
    ("N-12", {"50-slurm-pmi.sh": ""}, FAIL, "50-slurm-pytorch.sh: missing"),
    ("N-21", {"mlx5_0/1": ["1: DOWN", "400 Gb/sec"]}, FAIL, "mlx5_0/1"),
    ("N-22", {"memlock": -1, "nofile": 2**30}, FAIL, "open files"),
    ("N-24", NOW + 90, FAIL, "90.0 s ahead"),
    ("N-24", NOW - 90, FAIL, "89.0 s behind"),
    ("N-25", {"code": 0, "stdout": "slurmd.service loaded failed failed x\n", "stderr": ""}, FAIL, "slurmd.service"),
    ("N-25", {"code": 1, "stdout": "", "stderr": "Failed to connect to bus: No such file"}, FAIL, "connect to bus"),
    ("N-25", {"code": 1, "stdout": "", "stderr": "it said something else"}, ERROR, "something else"),
    ("N-27", {"flag": True, "release": "6.1.0"}, FAIL, "reboot-required"),
    ("N-30", changed("N-30", account="unknown here"), FAIL, "directory of accounts"),
    ("L-01", {"names": ["pyxis_5.0", "mine"], "jobs": ["7"]}, FAIL, "pyxis_5.0"),
    ("L-01", {"names": [], "jobs": None}, ERROR, "squeue"),
    ("D-02", {"/run/docker.sock": [0o666, 0, 0]}, FAIL, "0666"),
    ("D-02", {**GOOD["D-02"], "sockets": {"/run/docker.sock": [0o666, 0, 0]}}, FAIL, "0666"),
    ("D-02", {**GOOD["D-02"], "programs": {"/usr/bin/docker": 0o2755}}, FAIL, "2755"),
    ("D-02", {**GOOD["D-02"], "ports": [2375]}, FAIL, "port 2375"),
    ("C-01", {"release": "debian 13", "root": "overlay:/"}, FAIL, "the node itself"),
    ("C-01", {"release": "debian 12", "root": ":"}, FAIL, "no /proc in the container"),
    ("C-02", {"openable": ["nvidia0"], "uuids": None}, FAIL, "missing nvidia1"),
    ("C-03", {"openable": 8, "allocated": "2"}, FAIL, "SLURM_GPUS_ON_NODE=2"),
    ("C-09", {"rw": "EACCES", "ro": "EROFS", "uid": 2001}, FAIL, "EACCES"),
    ("C-09", {"rw": "", "ro": "", "uid": 2001}, FAIL, "written"),
    ("C-11", {"uid": 0, "me": 2001, "text": "slipway-validate-token"}, FAIL, "owner 0"),
    ("C-11", {"problem": "No such file or directory", "me": 2001}, FAIL, "No such file"),
    ("N-30", changed("N-30", reached=False), FAIL, "does not reach slurmctld: /etc/hosts, firewall port 6817"),
    ("N-30", changed("N-30", reached=False, resolved=[], address=""), FAIL, "DNS or /etc/hosts of this node"),
    ("N-30", changed("N-30", reached=None), PASS, "no other node"),
    ("I-01", {"openable": ["nvidia0", "nvidia1"], "visible": "0"}, FAIL, "2 GPUs"),
    ("I-01", {"openable": [], "visible": ""}, FAIL, "0 GPUs"),
    ("I-01", {"openable": [], "visible": ""}, FAIL, "the job has no GPU device"),
    ("N-03", changed("N-03", nvidia=closed("nvidia2", "0600")), FAIL, "mode or owner keeps users out"),
    ("N-03", changed("N-03", nvidia=closed("nvidia2", "0660")), FAIL, "nvidia2 has the mode 0660"),
    ("N-03", changed("N-03", nvidia=closed("nvidia2", "0666")), FAIL, "its cgroup denies some"),
    ("N-03", changed("N-03", nvidia={**closed("nvidia2", "0666"), "modes": None}), FAIL, "its cgroup denies some"),
    ("C-21", {"outside": {}}, SKIP, "no home directory"),
    ("C-21", changed("C-21", inside={"/home/member": "Permission denied"}), FAIL, "Permission denied"),
    ("C-21", changed("C-21", inside={"/home/member": [1, 2]}), FAIL, "another directory"),
    ("C-21", changed("C-21", inside=None), ERROR, "nothing"),
    (
        "C-21",
        changed("C-21", inside=None, said="enroot-mount: failed to mount: /fsx at /x/fsx: Permission denied"),
        FAIL,
        "could not be mounted",
    ),
    ("C-22", changed("C-22", code=1, stderr="[ERROR] No space left on device"), FAIL, "No space left"),
    ("C-22", changed("C-22", size=0, stderr="[ERROR] odd"), FAIL, "odd"),
    ("C-22", {"image": ""}, SKIP, "validate_online_image"),
    ("C-20", {}, SKIP, "no image of this run but"),
    ("C-20", {"head:5000": ["image", "Connection refused"]}, FAIL, "head:5000: Connection refused"),
    ("C-20", {"mirror": ["mirror", "HTTP 503"]}, WARN, "mirror: HTTP 503"),
    ("L-01", changed("L-01", names=["99.0.squashfs", "7.1.squashfs"]), FAIL, "1 without a job: 99.0.squashfs"),
    ("L-01", changed("L-01", names=["user-2002/pyxis_99_x"]), FAIL, "user-2002/pyxis_99_x"),
    ("L-01", changed("L-01", names=["user-2002/pyxis_kept", "mine"]), PASS, "none of a dead job"),
    ("L-01", changed("L-01", docker=["eager_bell busybox"]), WARN, "docker runs eager_bell busybox"),
    ("L-06", changed("L-06", visible=False), SKIP, "hidepid"),
    ("L-06", changed("L-06", busy=[BUSY, BUSY]), WARN, "guest 77 yes: 30% of a core"),
    ("L-06", changed("L-06", busy=[BUSY, {**BUSY, "account": "agent"}]), PASS, "nobody"),
    ("I-06", changed("I-06", answer={"given": 8, "taken": 8}), FAIL, "bound to 8"),
    ("I-06", changed("I-06", answer={"given": 1, "taken": 8}), FAIL, "took 8"),
    ("I-06", changed("I-06", answer={"given": 1, "taken": 8}, confined="no"), PASS, "which H-05 says"),
    ("I-06", changed("I-06", answer=None, said="srun: error: timeout"), ERROR, "timeout"),
    ("I-06", changed("I-06", node=1, answer=None), SKIP, "one core"),
    ("L-04", {"state": "MIXED+DRAIN", "reason": "batch job complete failure"}, FAIL, "batch job"),
    ("L-04", {"state": "", "reason": ""}, ERROR, "nothing"),
    ("L-04", {"state": "IDLE+DRAIN", "reason": "Epilog error"}, FAIL, "the epilog fails"),
    ("L-04", {"state": "IDLE+DRAIN", "reason": "Kill task failed [root@x]"}, FAIL, "hangs in the kernel"),
    ("L-04", {"state": "IDLE+DRAIN", "reason": "disk [sda1] full"}, FAIL, "IDLE+DRAIN: disk [sda1] full"),
    (
        "L-04",
        {"state": "IDLE+DRAIN", "reason": "gres/gpu count reported lower than configured (7 < 8)"},
        FAIL,
        "fewer devices",
    ),
    ("C-02", changed("C-02", openable=[], there=GOOD["C-02"]["there"]), FAIL, "are there and do not open"),
    ("C-02", changed("C-02", openable=[], there=[], restricted=True), FAIL, "ENROOT_RESTRICT_DEV"),
    ("L-05", ["/scratch/pyxis_7.1"], FAIL, "pyxis_7.1"),
    ("L-05", "", ERROR, "no list"),
    ("L-05", {}, ERROR, "no list"),
    ("C-10", changed("C-10", **{"/fsx": {"problem": "", "mount": "/"}}), FAIL, "not mounted"),
    ("C-10", {"home": NO_HOME}, WARN, "home: /home/member, No such file or directory on / (ext4)"),
    ("C-10", {"home": {**NO_HOME, "path": "/nonexistent"}}, PASS, "/nonexistent"),
    ("C-10", changed("C-10", **{"/fsx": {"problem": "Stale file handle", "mount": "/fsx"}}), FAIL, "Stale"),
]


@pytest.mark.parametrize("check", [name for name in GOOD if name != "C-13"])
def test_a_good_observation_passes(check):
    assert judge(check, GOOD[check]).status in (PASS, SKIP)


@pytest.mark.parametrize(
    ("check", "observed", "status", "words"), BAD, ids=[f"{item[0]}-{number}" for number, item in enumerate(BAD)]
)
def test_a_bad_observation_is_found(check, observed, status, words):
    finding = judge(check, observed)
    assert finding.status == status
    assert words in f"{finding.observed} {finding.expected} {finding.cause}"


def fleet(check: str, count: int = 9) -> dict[str, Any]:
    return {f"n{number}": GOOD[check] for number in range(count)}


@pytest.mark.parametrize(
    ("check", "observed", "words"),
    [
        ("N-06", changed("N-06", enroot="4.0.1-1"), "enroot 4.1.2-1, as on 9 nodes"),
        ("N-07", {"/etc/enroot/enroot.conf": "fedcba9876543210 0644"}, "as on 9 nodes"),
        ("N-07", {}, "missing"),
        ("N-10", {key: {**place, "mount": "/"} for key, place in PATHS.items()}, "ENROOT_DATA_PATH on /scratch"),
        ("N-03", changed("N-03", nvidia=with_number("nvidia1", "195:9")), "nvidia1 is 195:9"),
        ("N-22", {"memlock": -1, "nofile": 1024}, "nofile 20000, as on 9 nodes"),
        ("N-22", changed("N-22", fsize=2**20), "at most 1048576 bytes in a file"),
        ("N-22", changed("N-22", nproc=2000), "nproc 256000, the median of 10 nodes"),
        ("C-10", {"home": NO_HOME}, "No such file or directory on / (ext4)"),
        ("C-10", {"home": GOOD["C-10"]["home"] | {"access": "ro"}}, "home rw, as on 9 nodes"),
        (
            "N-10",
            {**PATHS, "temporary files": {**PATHS["temporary files"], "options": "rw,noexec"}},
            "temporary files is on the mount /scratch (noexec) temporary files on /scratch, as on 9 nodes",
        ),
        ("N-30", changed("N-30", own_name=False, hostname="localhost"), "no (it is localhost)"),
        ("N-30", changed("N-30", account="unknown here"), "unknown here"),
        ("N-30", changed("N-30", account="eve", uid=2001), "account of the run: eve account of the run: member, as on"),
        (
            "C-10",
            {"home": GOOD["C-10"]["home"] | {"path": "/nfs/member"}},
            "home: /nfs/member on /home (nfs4) /home/member on /home (nfs4), as on 9 nodes",
        ),
        ("N-30", changed("N-30", resolved=["its own name"]), "its own name, the controller, as on 9 nodes"),
        ("N-30", changed("N-30", lookup="dns", resolved=[]), "where names are looked up: dns"),
        ("N-30", changed("N-30", nameserver="none of 2 answers"), "nameservers: none of 2 answers"),
        ("N-30", changed("N-30", address="10.0.0.9"), "address of the controller: 10.0.0.9"),
        ("N-30", changed("N-30", mtu="1500"), "MTU towards the submit host: 1500"),
        ("N-27", {"flag": False, "release": "6.1.0-old"}, "6.1.0, as on 9 nodes"),
        ("N-21", {"mlx5_0/1": ["4: ACTIVE", "400 Gb/sec"]}, "absent"),
    ],
)
def test_a_node_that_differs_from_nine_others_fails(check, observed, words):
    finding = judge(check, observed, fleet={**fleet(check), "gpu001": observed})
    assert finding.status == FAIL and words in f"{finding.observed} {finding.expected}"


WORKING, UNUSED = ["4: ACTIVE", "400 Gb/sec (4X NDR)"], ["1: DOWN", "10 Gb/sec (4X SDR)"]


@pytest.mark.parametrize(
    ("second", "others", "status"),
    [
        # A second port that has a cable nowhere.
        (UNUSED, UNUSED, WARN),
        (UNUSED, WORKING, FAIL),
        # It has a link, and no subnet manager.
        (["2: INIT", "400 Gb/sec (4X NDR)"], ["2: INIT", "400 Gb/sec (4X NDR)"], FAIL),
        (WORKING, WORKING, PASS),
    ],
)
def test_a_port_that_is_down_everywhere_is_no_fault_of_a_node(second, others, status):
    observed = {"mlx5_0/1": WORKING, "mlx5_1/1": second}
    fleet = {f"gpu00{number}": {**observed, "mlx5_1/1": others} for number in range(2, 5)}
    assert judge("N-21", observed, fleet={**fleet, "gpu001": observed}).status == status


def test_a_node_of_which_no_port_works_or_that_is_alone_fails():
    both = {"mlx5_0/1": UNUSED, "mlx5_1/1": UNUSED}
    assert judge("N-21", both, fleet=dict.fromkeys(("gpu001", "gpu002"), both)).status == FAIL
    one = {"mlx5_0/1": WORKING, "mlx5_1/1": UNUSED}
    assert judge("N-21", one, fleet={"gpu001": one}).status == FAIL


@pytest.mark.parametrize("check", ["N-03", "N-06", "N-07", "N-10", "N-22", "N-27", "N-21", "N-30", "C-10"])
def test_garbage_from_one_node_does_not_accuse_another(check):
    assert judge(check, GOOD[check], fleet={**fleet(check), "gpu009": "garbage", "gpu010": None}).status == PASS


def test_an_address_that_is_not_known_accuses_nobody():
    """The controller itself has none to compare, nor have results that were stored before it was looked at."""
    older = {
        name: value
        for name, value in GOOD["N-30"].items()
        if name not in ("lookup", "nameserver", "address", "reached", "controller")
    }
    for observed in (changed("N-30", address=""), older):
        assert judge("N-30", observed, fleet={**fleet("N-30"), "gpu001": observed}).status == PASS
    known = {f"n{number}": older for number in range(9)}
    assert judge("N-30", GOOD["N-30"], fleet={**known, "gpu001": GOOD["N-30"]}).status == PASS


def test_a_nameserver_that_answers_accuses_nobody_where_the_others_answer_nobody():
    dead = {f"n{number}": changed("N-30", nameserver="none of 1 answers") for number in range(9)}
    assert judge("N-30", GOOD["N-30"], fleet={**dead, "gpu001": GOOD["N-30"]}).status == PASS


def test_a_nameserver_is_one_that_says_anything(tmp_path, monkeypatch):
    write(tmp_path, "etc/nsswitch.conf", "passwd: files\n  hosts:\tfiles  dns # not myhostname\n")
    node = Node(root=str(tmp_path))
    assert n_30_alike.lookup(node) == "files dns" and n_30_alike.nameserver(node) == "none named"
    monkeypatch.setattr(n_30_alike, "DNS_SECONDS", 0.4)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        monkeypatch.setattr(n_30_alike, "DNS_PORT", server.getsockname()[1])
        write(tmp_path, "etc/resolv.conf", "search x\nnameserver name-and-no-address\nnameserver 127.0.0.1\n")
        assert n_30_alike.nameserver(node) == "none of 2 answers"

        def refuse() -> None:
            # The first question waits there since then; SERVFAIL is an answer.
            for _question in range(3):
                question, sender = server.recvfrom(512)
                server.sendto(question[:2] + b"\x81\x82" + question[4:], sender)

        thread = threading.Thread(target=refuse, daemon=True)
        thread.start()
        assert n_30_alike.nameserver(node) == "answers"
        thread.join(2)


@pytest.mark.parametrize(
    ("answers", "known"),
    [
        ("Slurmctld(primary) at head is UP", True),
        ("Slurmctld(primary) at head is DOWN\nSlurmctld(backup) at spare is UP", True),
        ("Slurmctld(primary) at head is DOWN", False),
    ],
)
def test_slurmctld_is_reached_where_one_of_them_is_up(tmp_path, monkeypatch, answers, known):
    write(tmp_path, "scontrol", f"#!/bin/sh\necho '{answers}'\n", 0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert n_30_alike.reached(Node())["reached"] is known
    monkeypatch.setenv("PATH", "/nonexistent")
    assert n_30_alike.reached(Node())["reached"] is None


@pytest.mark.parametrize(("tier", "minutes"), [("standard", 60), ("deep", 180), ("", 30)])
def test_the_job_that_slurm_judges_asks_for_what_the_run_asks_for(tmp_path, monkeypatch, tier, minutes):
    write(tmp_path, "srun", f'#!/bin/sh\necho "$@" > {tmp_path}/words\n', 0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    h_07_account.observe(Node(settings={"partition": "gpu", **({"tier": tier} if tier else {})}))
    asked = (tmp_path / "words").read_text().split()
    wanted = plan.allocation_options(0, Settings(partition="gpu", tier=tier or "quick"))
    assert f"--time={minutes}" in asked and {*wanted} - {*asked} == {"--ntasks-per-node=1"}


def test_the_partition_of_the_run_is_the_named_or_the_default_one():
    text = (
        "PartitionName=main AllowGroups=ALL AllowAccounts=ALL Default=YES State=UP\n"
        "PartitionName=vip AllowGroups=operators Default=NO State=DOWN\n"
    )
    assert slurm.partition(text, "")["PartitionName"] == "main"
    assert slurm.partition(text, "vip")["AllowGroups"] == "operators"
    assert slurm.partition("slurm_load_partitions: error\n", "") == {}


def test_a_slurmd_that_was_not_restarted_after_an_upgrade_is_found():
    context = Context("n", kinds.load()["simulated"], slurm={"version": "24.05.3"}, cluster={"version": "24.11.5"})
    finding = load()["N-02"].judge("slurm-wlm 24.11.5", context)
    assert finding.status == FAIL and "not restarted" in finding.cause


def test_a_node_that_its_epilog_drained_is_found_after_the_job():
    drained = {"afterwards": {"gpu001": "drained: Epilog error"}}
    finding = judge("L-04", GOOD["L-04"], cluster=drained)
    assert finding.status == FAIL and finding.observed == "after the job: drained: Epilog error"
    assert judge("L-04", GOOD["L-04"], cluster={"afterwards": {"gpu002": "drained: Epilog error"}}).status == PASS


def test_a_slow_container_start_is_a_warning_among_others():
    assert judge("C-18", {}, cluster={"container_seconds": 1.0}).status == PASS
    slow = {"host": {}, "container": {"hello": {"began": NOW - 60}, "received": NOW}}
    context = Context("n", kinds.load()["simulated"], steps=slow, settings=SETTINGS, cluster={"container_seconds": 2.0})
    assert load()["C-18"].judge({}, context).status == WARN
    assert (
        load()["C-18"].judge({}, Context("n", context.profile, steps=slow, settings={"container_start": 30})).status
        == FAIL
    )


DOCKER = {
    "installed": True, "member": True, "in_job": True, "code": 0, "stderr": "", "daemon": "active", "gone": "",
    "containerd": "active", "containerd_seen": False, "starters": {"runc": True, "containerd-shim-runc-v2": True},
}  # fmt: skip


def test_docker_without_what_starts_containers_is_noticed_beside_other_nodes():
    lost = {**DOCKER, "starters": {"runc": False, "containerd-shim-runc-v2": True}}
    fleet = {"n1": lost, "n2": DOCKER, "n3": DOCKER}
    finding = judge("D-01", lost, fleet=fleet, settings={"runtimes": ["docker"]})
    assert finding.status == FAIL and "runc is missing" in finding.cause and "bin/runc" in finding.fix
    # Nowhere: another program starts them.
    assert judge("D-01", lost, fleet={"n1": lost, "n2": lost}, settings={"runtimes": ["docker"]}).status == PASS


def test_docker_without_its_bridge_is_noticed_beside_other_nodes():
    there = {**DOCKER, "bridge": True}
    lost, settings = {**there, "bridge": False}, {"runtimes": ["docker"]}
    finding = judge("D-01", lost, fleet={"n1": lost, "n2": there, "n3": there}, settings=settings)
    assert finding.status == FAIL and "docker0" in finding.cause
    # A site may have switched it off; older results do not say.
    assert judge("D-01", lost, fleet={"n1": lost, "n2": lost, "n3": lost}, settings=settings).status == PASS
    assert judge("D-01", DOCKER, fleet={"n1": DOCKER, "n2": there, "n3": there}, settings=settings).status == PASS


def test_what_stands_behind_docker_is_read_from_systemd(tmp_path, monkeypatch):
    """In the form of systemd 257 (fixtures/recorded), but for Listen, which was not recorded by us."""
    text = (
        "Id=docker.service\nActiveState=active\nExecStart={ path=/usr/sbin/dockerd ; argv[]=/usr/sbin/dockerd -H fd:// "
        "--containerd=/run/containerd/containerd.sock $DOCKER_OPTS ; ignore_errors=no }\n\n"
        "Id=docker.socket\nActiveState=active\nListen=/run/docker.sock (Stream)\n\n"
        "Id=containerd.service\nActiveState=inactive\n"
    )
    monkeypatch.setattr(Node, "run", lambda *_words: Output(0, text, ""))
    seen = d_01_group.behind(Node(root=str(tmp_path)))
    assert (seen["daemon"], seen["gone"], seen["containerd"]) == ("active", "/run/docker.sock", "inactive")
    (tmp_path / "proc" / "7").mkdir(parents=True)
    (tmp_path / "proc" / "7" / "comm").write_text("containerd\n")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "docker.sock").touch()
    again = d_01_group.behind(Node(root=str(tmp_path)))
    assert again["containerd_seen"] and not again["gone"]
    monkeypatch.setattr(Node, "run", lambda *_words: Output(1, "", "no bus"))
    assert d_01_group.behind(Node(root=str(tmp_path)))["daemon"] == ""


@pytest.mark.parametrize(
    ("observed", "status", "words"),
    [
        ({"installed": False}, FAIL, "not on PATH"),
        (
            {"installed": True, "group": False, "member": False, "in_job": False, "code": 1, "stderr": "denied"},
            FAIL,
            "the group docker is not on this node",
        ),
        ({"installed": True, "member": True, "in_job": False, "code": 1, "stderr": ""}, FAIL, "a member on the node"),
        ({"installed": True, "member": True, "in_job": True, "code": 0, "stderr": ""}, PASS, "works"),
        ({"installed": True, "member": False, "in_job": False, "code": 0, "stderr": ""}, FAIL, "outside the group"),
        ({"installed": True, "member": False, "in_job": False, "code": 1, "stderr": "denied"}, PASS, "refused"),
        ({"installed": True, "member": True, "in_job": True, "code": 1, "stderr": "no daemon"}, FAIL, "no daemon"),
        (
            {"installed": True, "member": True, "in_job": True, "code": 1, "stderr": "permission denied while trying"},
            FAIL,
            "another owner or mode",
        ),
        ({"installed": True, "member": True, "in_job": True, "code": None, "stderr": ""}, FAIL, "dockerd hangs"),
        (
            {
                "installed": True,
                "gid": 2999,
                "member": True,
                "in_job": False,
                "foreign": ["990 (no name here)"],
                "code": 1,
                "stderr": "permission denied",
            },
            FAIL,
            "another number here than on the controller",
        ),
        (DOCKER, PASS, "works"),
        ({**DOCKER, "code": 1, "stderr": "Cannot connect", "gone": "/run/docker.sock"}, FAIL, "was removed"),
        ({**DOCKER, "in_job": False, "member": False, "code": 1, "gone": "/run/docker.sock"}, FAIL, "was removed"),
        ({**DOCKER, "code": 1, "stderr": "Cannot connect to the Docker daemon at tcp://x:2375."}, FAIL, "DOCKER_HOST"),
        ({**DOCKER, "containerd": "inactive"}, FAIL, "containerd does not run"),
        # One that another unit started, dockerd's own, and a daemon that does not run either.
        ({**DOCKER, "containerd": "inactive", "containerd_seen": True}, PASS, "works"),
        ({**DOCKER, "containerd": ""}, PASS, "works"),
        (
            {**DOCKER, "code": 1, "stderr": "no dockerd", "daemon": "failed", "containerd": "inactive"},
            FAIL,
            "no dockerd",
        ),
    ],
)
def test_dockers_group_is_judged_where_the_site_installs_docker(observed, status, words):
    finding = judge("D-01", observed, settings={"runtimes": ["docker"]})
    assert finding.status == status and words in f"{finding.observed} {finding.cause}"


# NVIDIA: no GPU was at hand. The forms are those of nvidia-smi's and nvidia-container-cli's documentation and of the
# upstream issues that the checks name; none of these texts was recorded by us.


def said(stdout: str = "", code: int | None = 0, stderr: str = "", **more: Any) -> dict[str, Any]:
    return {"code": code, "stdout": stdout, "stderr": stderr, **more}


def every(*fields: str, count: int = 8) -> str:
    """Return what nvidia-smi prints with the same fields for every GPU."""
    return "".join(f"{n}, {', '.join(fields)}\n" for n in range(count))


EIGHT = "".join(f"{n}, GPU-{n}f2a0c1d-0000-0000-0000-000000000000, NVIDIA H100 80GB HBM3\n" for n in range(8))
MISMATCH = "Failed to initialize NVML: Driver/library version mismatch\nNVML library version: 560.35\n"
NVIDIA: list[tuple[str, Any, str, str]] = [
    ("N-04", said(EIGHT, seconds=1.2), PASS, "8 of NVIDIA H100"),
    ("N-04", said(EIGHT, seconds=9.0), WARN, "9.0 s"),
    ("N-04", said(EIGHT.partition("\n")[2], seconds=1.2), FAIL, "7 GPUs"),
    ("N-04", said(code=None, seconds=15.0), FAIL, "no answer"),
    ("N-04", said(MISMATCH, code=18, seconds=0.1), FAIL, "mismatch"),
    ("N-04", said("Segmentation \ufffd", seconds=0.1), FAIL, "0 GPUs"),
    ("N-04", said("No devices were found\n", code=6, seconds=0.1), FAIL, "No devices"),
    ("N-13", {"loaded": "560.35.05", "queried": ["560.35.05"], "module": "560.35.05"}, PASS, "560.35.05"),
    ("N-13", {"loaded": "550.90.07", "queried": ["560.35.05"], "module": "560.35.05"}, FAIL, "loaded 550.90.07"),
    ("N-13", {"loaded": "550.90.07", "queried": MISMATCH, "module": ""}, FAIL, "mismatch"),
    ("N-14", {"exists": True, "character": True}, PASS, "there"),
    ("N-14", {"exists": False, "character": False}, FAIL, "missing"),
    ("N-15", said("".join(f"GPU UUID:       GPU-{n}\n" for n in range(8))), PASS, "8 GPUs"),
    ("N-15", said("GPU UUID:       GPU-1\n"), FAIL, "1 GPUs"),
    (
        "N-15",
        said(code=1, stderr="nvidia-container-cli: initialization error: driver rpc error: timed out"),
        FAIL,
        "rpc",
    ),
    ("N-15", said(code=127, stderr="nvidia-container-cli: No such file or directory"), FAIL, "No such file"),
    ("N-16", said(every("Enabled")), PASS, "Enabled"),
    ("N-16", said("0, Enabled\n1, Disabled\n"), FAIL, "GPU 1"),
    ("N-16", said(""), ERROR, "nothing"),
    ("N-17", said("x", fabric=[["Completed", "Success"]] * 8), PASS, "8 GPUs"),
    ("N-17", said("x", fabric=[["Completed", "Success"], ["In Progress", "N/A"]]), FAIL, "In Progress"),
    ("N-17", said("", fabric=[]), ERROR, "no fabric"),
    ("N-18", said("kernel: NVRM: Xid (PCI:0000:9b:00): 79, pid=1, GPU has fallen off the bus.\n"), FAIL, "Xid 79"),
    ("N-18", said("kernel: NVRM: Xid (PCI:0000:9b:00): 13, pid=1, Graphics Exception\n"), PASS, "1 others"),
    ("N-18", said("", code=1), PASS, "none"),
    ("N-18", said(code=None), ERROR, "nothing"),
    ("N-19", said(every("0", "No", "No")), PASS, "8 GPUs"),
    ("N-19", said(every("[N/A]", "[N/A]", "[N/A]")), PASS, "8 GPUs"),
    ("N-19", said("0, 0, No, No\n1, 3, Yes, No\n"), FAIL, "GPU 1: 3 uncorrected, pending Yes"),
    ("N-19", said("Unable to determine the device handle for GPU0000:9B:00.0: Unknown Error\n"), ERROR, "Unable"),
    ("N-20", said("0, 16, 16\n1, 8, 16\n"), FAIL, "GPU 1: 8 of 16"),
    ("N-20", said(every("16", "16")), PASS, "8 links"),
    ("N-20", said("garbage"), ERROR, "garbage"),
    ("N-23", said("0, 4\n1, 40000\n"), FAIL, "GPU 1: 40000"),
    ("N-23", said(every("4")), PASS, "free"),
    ("N-23", said("0, [Unknown Error]\n"), FAIL, "Unknown Error"),
    ("N-22", {"memlock": 65536, "nofile": 20000}, FAIL, "65536 bytes"),
]


@pytest.mark.parametrize(
    ("check", "observed", "status", "words"), NVIDIA, ids=[f"{item[0]}-{number}" for number, item in enumerate(NVIDIA)]
)
def test_what_nvidias_programs_print_is_judged(check, observed, status, words):
    finding = judge(check, observed, kind="nvidia")
    assert finding.status == status and words in f"{finding.observed} {finding.expected}"


def test_a_docker_client_and_a_port_of_dockers_daemon_are_looked_at(tmp_path):
    write(tmp_path, "usr/bin/docker", "", 0o2755)
    write(tmp_path, "proc/7/cmdline", "/usr/bin/dockerd\0-H\0fd://\0-H\0tcp://0.0.0.0:4243\0")
    write(tmp_path, "proc/8/cmdline", "dockerd-like\0tcp://0.0.0.0:1\0")
    node = Node(root=str(tmp_path))
    assert d_02_socket.observe(node)["programs"][str(tmp_path / "usr/bin/docker")] == 0o2755
    assert d_02_socket.ports(node) == [2375, 4243]


@pytest.mark.parametrize(("header", "expected"), [("Api-Version: 1.51", True), ("Server: nginx", False)])
def test_only_dockers_own_answer_is_an_open_daemon(header, expected):
    with socket.create_server(("127.0.0.1", 0)) as server:
        reply = f"HTTP/1.0 200 OK\r\n{header}\r\n\r\nOK".encode()

        def serve():
            connection, _address = server.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(reply)

        thread = threading.Thread(target=serve)
        thread.start()
        assert d_02_socket.answers(server.getsockname()[1]) is expected
        thread.join()
    assert not d_02_socket.answers(1)


def test_the_containers_uuids_must_be_the_nodes(monkeypatch):
    devices = GOOD["C-02"]["openable"]
    uuids = [line.split(", ")[1] for line in EIGHT.splitlines()]
    others = {"N-04": said(EIGHT)}
    assert judge("C-02", {"openable": devices, "uuids": uuids}, "nvidia", others=others).status == PASS
    assert judge("C-02", {"openable": devices, "uuids": uuids[1:]}, "nvidia", others=others).status == FAIL
    assert judge("C-02", {"openable": devices, "uuids": None}, "nvidia", others=others).status == FAIL


# What is observed, on a directory in the place of /


def write(root: Path, name: str, text: str, mode: int = 0o644) -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    return path


def test_the_directories_of_all_users_are_written_and_looked_at(tmp_path, monkeypatch):
    places = {name: str(tmp_path / name) for name in ("open", "plain", "closed")}
    for name, mode in (("open", 0o1777), ("plain", 0o777), ("closed", 0o755)):
        Path(places[name]).mkdir()
        Path(places[name]).chmod(mode)
    monkeypatch.setattr(storage, "COMMON", {**places, "missing": "/proc/fault"})
    found = n_10_storage.observe(Node())
    assert [found[name]["mode"] for name in (*places, "missing")] == [0o1777, 0o777, 0o755, 0]
    assert found["open"]["write"] == "" and found["missing"]["write"]
    assert {"/tmp", "/var/tmp", "/dev/shm"} == set(COMMON.values())


def test_hooks_are_observed_with_what_is_wrong(tmp_path):
    write(tmp_path, "etc/enroot/hooks.d/a.sh", "", 0o755)
    (tmp_path / "etc/enroot/hooks.d/b.sh").symlink_to("/nowhere")
    assert n_12_hooks.observe(Node(root=str(tmp_path))) == {"a.sh": "", "b.sh": "leads nowhere"}


def test_a_closed_directory_of_enroots_is_named_and_not_what_is_in_it(tmp_path):
    write(tmp_path, "etc/enroot/enroot.conf", "ENROOT_DATA_PATH /data\n")
    write(tmp_path, "etc/enroot/enroot.conf.d/a.conf", "")
    write(tmp_path, "etc/enroot/hooks.d/a.sh", "", 0o755)
    node = f"Node(root={str(tmp_path)!r})"
    for closed, configuration in (("hooks.d", ""), ("enroot.conf.d", "/etc/enroot/enroot.conf.d"), ("", "/etc/enroot")):
        (tmp_path / "etc/enroot" / closed).chmod(0o700)
        seen = in_another_account(f"n_10_storage.observe({node})['configuration']", tmp_path)
        assert seen["closed"] == configuration
        hooks = in_another_account(f"n_12_hooks.observe({node})", tmp_path)
        assert hooks.get("/", "") == ("" if closed == "enroot.conf.d" else f"/etc/enroot/{closed}".rstrip("/"))
        in_another_account(f"[n_07_drift.observe({node}), n_32_loaded.observe({node})]", tmp_path)
        (tmp_path / "etc/enroot" / closed).chmod(0o755)
    finding = judge("N-12", {"/": "/etc/enroot/hooks.d"})
    assert finding.status == FAIL and finding.fix == "chmod 0755 /etc/enroot/hooks.d"
    finding = judge("N-10", {**PATHS, "configuration": {**PATHS["configuration"], "closed": "/etc/enroot"}})
    assert "users cannot enter /etc/enroot" in finding.cause and finding.fix == "chmod 0755 /etc/enroot"
    assert judge("N-10", {}).status == ERROR


@pytest.mark.parametrize("place", ["etc/slurm", "run/slurm/conf"])
def test_the_configuration_of_slurm_is_compared_wherever_the_node_has_it(tmp_path, place):
    for name in ("slurm.conf", "gres.conf", "cgroup.conf"):
        write(tmp_path, f"{place}/{name}", "x")
    assert len(n_07_drift.observe(Node(root=str(tmp_path)))) == 3


def test_limits_of_processes_that_differ_a_little_accuse_nobody():
    fleet_of = {f"n{number}": changed("N-22", nproc=256_000 + number % 3) for number in range(9)}
    for count in (255_990, 200_000, 600_000, -1):
        assert judge("N-22", changed("N-22", nproc=count), fleet=fleet_of).status == PASS
    assert judge("N-22", changed("N-22", nproc=1000), fleet=fleet_of).status == FAIL
    older = {"memlock": -1, "nofile": 20000}
    assert judge("N-22", older, fleet=dict.fromkeys("abc", older)).status == PASS
    assert set(n_22_limits.observe(Node())) == set(GOOD["N-22"])


def test_capabilities_are_observed_with_what_makes_them_void(tmp_path, monkeypatch):
    write(tmp_path, "bin/enroot-aufs2ovlfs", "", 0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    files = {
        "/proc/self/mountinfo": f"7 1 0:5 / / rw - ext4 x rw\n8 7 0:6 / {tmp_path} rw,nosuid - ext4 y rw\n",
        "/proc/self/status": "Name:\tpython3\nNoNewPrivs:\t1\nSeccomp:\t0\n",
    }
    monkeypatch.setattr(Node, "read", lambda _node, name: files.get(name))
    seen = n_09_capabilities.observe(Node())
    assert seen["nosuid"] == [str(tmp_path)] and seen["locked"] is True
    assert seen["enroot-mksquashovlfs"] == "not found"


def test_the_devices_are_observed_with_number_and_mode(tmp_path):
    write(tmp_path, "dev/nvidia0", "", 0o600)
    (tmp_path / "dev/nvidia1").symlink_to("/nowhere")
    found = n_03_gres.observe(Node(root=str(tmp_path)))["nvidia"]
    assert found["devices"] == ["nvidia0", "nvidia1"]
    assert found["numbers"] == {"nvidia0": "0:0"} and found["modes"] == {"nvidia0": "0600"}


def test_a_service_that_docker_runs_on_most_nodes_belongs_to_the_site():
    seen = changed("L-01", docker=["exporter x/dcgm"])
    others = {f"n{number}": seen for number in range(9)}
    assert judge("L-01", seen, fleet=others).status == PASS
    assert judge("L-01", seen, fleet={**dict.fromkeys(others, GOOD["L-01"]), "n9": seen}).status == WARN


def test_images_of_dead_jobs_and_other_accounts_containers_are_listed(tmp_path, monkeypatch):
    own = os.getuid()
    for name in (f"data/user-{own}/pyxis_1.0", "data/user-77/pyxis_2.0", f"run/{own}/3.0.squashfs"):
        write(tmp_path, f"{name}/x" if "pyxis_" in name else name, "")
    monkeypatch.setenv("ENROOT_DATA_PATH", f"{tmp_path}/data/user-{own}")
    monkeypatch.setenv("ENROOT_RUNTIME_PATH", f"{tmp_path}/none")
    write(tmp_path, "bin/squeue", "#!/bin/sh\necho 3", 0o755)
    write(tmp_path, "bin/sudo", '#!/bin/sh\nshift; exec "$@"', 0o755)
    write(
        tmp_path,
        "bin/docker",
        '#!/bin/sh\ncase $1 in ps) echo a b;; *) echo "/x y no"; echo "/z y always";; esac',
        0o755,
    )
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    line = {**LINE, "arguments": [f"runtime_path={tmp_path}/run"]}
    monkeypatch.setattr(l_01_leftovers.slurm, "plugstack", lambda _node: {"pyxis": [line]})
    seen = l_01_leftovers.observe(Node())
    assert seen == {"names": ["pyxis_1.0", "3.0.squashfs"], "jobs": ["3"], "docker": ["x y"]}
    assert "user-77/pyxis_2.0" in l_01_leftovers.observe(Node({"allow": ["root"]}))["names"]


def proc(root: Path, pid: int, parent: int, ticks: int, uid: int, group: str, comm: str = "yes") -> None:
    write(root, f"proc/{pid}/stat", f"{pid} ({comm} x) R {parent} 0 0 0 0 0 0 0 0 0 {ticks} 0 0 0 20 0 1 0 900 0 0")
    write(root, f"proc/{pid}/status", f"Name:\t{comm}\nUid:\t{uid}\t{uid}\t{uid}\t{uid}\n")
    write(root, f"proc/{pid}/cgroup", group)
    write(root, f"proc/{pid}/comm", f"{comm}\n")
    write(root, f"proc/{pid}/cmdline", f"{comm}\0-x\0")


def test_who_computes_outside_of_jobs_is_told_from_who_computes_in_one(tmp_path, monkeypatch):
    inside = "0::/system.slice/slurmstepd.scope/job_7/step_0/user/task_0\n"
    tree = [(1, 0, 0, "/"), (50, 1, 0, "/"), (60, 1, 2001, "0::/user.slice"), (61, 1, 2001, inside),
            (62, 50, 2001, "0::/system.slice/slurmd.service"), (63, 1, 600, "0::/agent.service")]  # fmt: skip

    def later(seconds: float) -> None:
        for pid, parent, uid, group in tree:
            proc(tmp_path, pid, parent, 90_000, uid, group, "slurmstepd" if pid == 50 else "yes")

    for pid, parent, uid, group in tree:
        proc(tmp_path, pid, parent, 80_000, uid, group, "slurmstepd" if pid == 50 else "yes")
    monkeypatch.setattr(l_06_processes.time, "sleep", later)
    owners = {str(tmp_path / f"proc/{pid}"): uid for pid, _parent, uid, _group in tree}
    real = Path.stat

    def stat(path: Path, **more: Any) -> Any:
        if str(path) in owners:
            return types.SimpleNamespace(st_uid=owners[str(path)], st_mode=real(path).st_mode)
        return real(path, **more)

    monkeypatch.setattr(Path, "stat", stat)
    seen = l_06_processes.observe(Node(root=str(tmp_path)))
    assert seen["visible"] and [(one["pid"], one["command"]) for one in seen["busy"]] == [(60, "yes -x")]


@pytest.mark.parametrize(
    ("image", "host"),
    [
        ("/images/x.sqsh", ""),
        ("./x.sqsh", ""),
        ("dockerd://x", ""),
        ("head:5000/slipway/busybox:1", "head:5000"),
        ("docker://me@nvcr.io#nvidia/cuda:13", "nvcr.io"),
        ("nvcr.io/nvidia/cuda@sha256:ab", "nvcr.io"),
        ("nvidia/cuda:12.6.3", c_20_registry.HUB),
        ("ubuntu", c_20_registry.HUB),
        ("docker.io/library/ubuntu", c_20_registry.HUB),
    ],
)
def test_an_images_registry_is_read_from_its_name(image, host):
    assert c_20_registry.registry_of(image) == host


def test_a_registry_that_refuses_answers_and_one_that_is_not_there_does_not(tmp_path, monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    plain = b"HTTP/1.0 400 Bad Request\r\n\r\n"
    replies = [plain, b"HTTP/1.0 401 Unauthorized\r\n\r\n", plain, b"HTTP/1.0 503 Busy\r\n\r\n", plain]
    server = socket.create_server(("127.0.0.1", 0))

    def serve():
        for reply in replies:
            connection, _address = server.accept()
            with connection:
                connection.recv(4000)
                connection.sendall(reply)

    thread = threading.Thread(target=serve)
    thread.start()
    host = f"127.0.0.1:{server.getsockname()[1]}"
    assert [c_20_registry.problem(host, True) for _ in range(2)] == ["", "HTTP 503"]
    assert c_20_registry.problem(host, False) == "", "it is there, and speaks no TLS"
    thread.join()
    server.close()
    write(tmp_path, "etc/docker/daemon.json", json.dumps({"registry-mirrors": [f"http://{host}/"]}))
    settings = {"image": "/x.sqsh", "online_image": "ubuntu"}
    (seen,) = c_20_registry.observe(Node(settings, root=str(tmp_path))).items()
    assert seen[0] == host and seen[1][0] == "mirror" and "refused" in seen[1][1]
    assert c_20_registry.observe(Node({"image": f"{host}/x:1"}, root=str(tmp_path))) == {}


def test_a_registry_that_only_this_node_does_not_trust_is_a_fault_of_the_nodes():
    good, bad = {"nvcr.io": ["image", "", ""]}, {"nvcr.io": ["image", "", "unable to get local issuer certificate"]}
    finding = judge("C-20", bad, fleet={"n1": bad, "n2": good})
    assert finding.status == FAIL and "unable to get local issuer" in finding.observed and "n2" in finding.fix
    # One of the site's own, of which only the runtimes have the certificate; one without TLS; an older result.
    for seen in (bad, {"nvcr.io": ["image", "", None]}, {"nvcr.io": ["image", ""]}):
        assert judge("C-20", seen, fleet={"n1": seen, "n2": seen}).status == PASS
    mixed = {"n1": {"nvcr.io": ["image", "", None]}, "n2": good, "n3": good}
    assert judge("C-20", mixed["n1"], fleet=mixed).status == PASS


def test_whether_a_registry_is_trusted_is_asked_of_the_nodes_own_certificates(tmp_path, monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    words = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    words += ["-addext", "subjectAltName=DNS:localhost", "-keyout", "key", "-out", "certificate"]
    subprocess.run(words, cwd=tmp_path, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "certificate", tmp_path / "key")
    server = socket.create_server(("127.0.0.1", 0))

    def serve():
        for _ in range(2):
            connection, _address = server.accept()
            with contextlib.suppress(OSError), context.wrap_socket(connection, server_side=True) as channel:
                channel.recv(4000)
                channel.sendall(b"HTTP/1.0 401 Unauthorized\r\n\r\n")

    thread = threading.Thread(target=serve)
    thread.start()
    host = f"localhost:{server.getsockname()[1]}"
    monkeypatch.setenv("SSL_CERT_FILE", "/dev/null")
    assert "self" in str(c_20_registry.distrust(host))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "certificate"))
    assert c_20_registry.distrust(host) == ""
    thread.join()
    server.close()
    assert c_20_registry.distrust(host) is None, "it does not answer, which is not for this to say"


def test_drift_is_observed_by_content_and_mode(tmp_path):
    path = write(tmp_path, "etc/enroot/hooks.d/a.sh", "x", 0o755)
    before = n_07_drift.observe(Node(root=str(tmp_path)))
    path.chmod(0o644)
    after = n_07_drift.observe(Node(root=str(tmp_path)))
    assert before.keys() == after.keys() and before != after and json.dumps(after)


@pytest.mark.parametrize(
    ("program", "said", "wanted"),
    [
        ("dpkg", "enroot:amd64: %s", "dpkg enroot"),
        ("rpm", "enroot\nfile /x is not owned by any package", "rpm enroot"),
    ],
)
def test_the_package_of_a_file_is_named_with_what_writes_it_anew(tmp_path, monkeypatch, program, said, wanted):
    real = write(tmp_path, "usr/share/enroot/hook", "x", 0o755)
    link, other = "/etc/enroot/hooks.d/50-slurm-pmi.sh", "/etc/enroot/hooks.d/60-own.sh"
    write(tmp_path, other.lstrip("/"), "x", 0o755)
    (tmp_path / link.lstrip("/")).symlink_to(real)
    write(tmp_path, f"bin/{program}", f"#!/bin/sh\ncat <<'.'\n{said.replace('%s', str(real))}\n.\n", 0o755)
    (tmp_path / "bin/cat").symlink_to("/bin/cat")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    seen = n_07_drift.observe(Node(root=str(tmp_path)))
    assert seen["packages"] == {link: wanted}
    # Where it is missing, another node knows its package; older results do not.
    lost = {name: value for name, value in seen.items() if name not in (link, "packages")}
    fleet = {"gpu001": lost, "n2": seen, "n3": seen}
    finding = judge("N-07", lost, fleet=fleet)
    assert finding.about == (link,)
    assert finding.fix.endswith("of the package enroot: playbooks/site.yml --limit gpu001")
    # What a site wrote into a package's file is kept; a link leads to the file.
    edited = judge("N-07", {**seen, link: "0 0755"}, fleet={**fleet, "gpu001": {**seen, link: "0 0755"}})
    assert edited.fix.endswith(f"mv $(readlink -f {link}) /root on gpu001; playbooks/site.yml --limit gpu001")
    # What no role installs comes from the distribution's repository.
    other = n_07_drift.difference(link, "gpu001", "n2", {link: "0", "packages": {link: wanted.replace("enroot", "x")}})
    assert {"dpkg": "apt-get install --reinstall -o", "rpm": f"mv {link} /root && dnf reinstall x"}[program] in other
    for one in fleet.values():
        one.pop("packages", None)
    assert "package" not in judge("N-07", lost, fleet=fleet).fix


def test_the_plugin_stack_is_read_as_slurm_does(tmp_path, monkeypatch):
    monkeypatch.delenv("SLURM_CONF", raising=False)
    config = tmp_path / "etc/slurm"
    write(tmp_path, "etc/slurm/slurm.conf", f"ClusterName=x\nPlugStackConfig={config}/own.conf\n")
    write(tmp_path, "etc/slurm/own.conf", f"# required commented_pyxis.so\ninclude {config}/d/*\n")
    write(tmp_path, "etc/slurm/d/pyxis.conf", "required /x/spank_pyxis.so runtime_path=/run/x\n")
    write(tmp_path, "etc/slurm/d/sedAb12", "required /x/spank_pyxis.so\n")
    # Absolute names in the files, and / in its own place: only slurm.conf itself is looked up by its usual name.
    monkeypatch.setenv("SLURM_CONF", str(config / "slurm.conf"))
    seen = slurm.plugstack(Node())
    assert [line["plugin"] for line in seen["pyxis"]] == ["/x/spank_pyxis.so"] * 2
    assert [Path(name).name for name in seen["files"]] == ["own.conf", "pyxis.conf", "sedAb12"]


def test_a_closed_directory_of_slurms_and_a_closed_plugin_are_named(tmp_path, monkeypatch):
    monkeypatch.delenv("SLURM_CONF", raising=False)
    etc, run = tmp_path / "etc/slurm", tmp_path / "run/slurm/conf"
    monkeypatch.setattr(n_28_plugstack.slurm, "DIRECTORIES", (str(etc), str(run)))
    plugin = "lib/pyxis/spank_pyxis.so"
    write(tmp_path, plugin, "")
    write(tmp_path, "etc/slurm/x", "")
    write(tmp_path, "run/slurm/conf/slurm.conf", "")
    write(tmp_path, "run/slurm/conf/plugstack.conf", "include plugstack.conf.d/*.conf\n")
    write(tmp_path, "run/slurm/conf/plugstack.conf.d/a.conf", f"required {tmp_path / plugin}\n")

    def verdict() -> Finding:
        return judge("N-28", in_another_account("n_28_plugstack.observe(Node())", tmp_path))

    etc.chmod(0o700)
    # A directory from which nothing is read may be closed.
    assert verdict().status == PASS
    for name, cause, fix in (
        (run / "plugstack.conf.d", "users cannot enter {}", "chmod 0755 {}"),
        (run, f"users cannot enter {etc}, {{}}", f"chmod 0755 {etc} {{}}"),
        (tmp_path / plugin, "because of {}", "chmod 0644 {}"),
        ((tmp_path / plugin).parent, "because of {}", "chmod 0755 {}"),
    ):
        mode = name.stat().st_mode
        name.chmod(0o600)
        finding = verdict()
        assert finding.status == FAIL and cause.format(name) in finding.cause
        assert finding.fix.startswith(fix.format(name))
        name.chmod(mode)


def test_enroots_paths_are_expanded_as_enroot_does(tmp_path, monkeypatch):
    for key in ("ENROOT_DATA_PATH", "ENROOT_RUNTIME_PATH", "ENROOT_CACHE_PATH", "ENROOT_TEMP_PATH", "XDG_RUNTIME_DIR"):
        monkeypatch.delenv(key, raising=False)
    write(tmp_path, "etc/enroot/enroot.conf", "ENROOT_DATA_PATH /data/user-$(id -u)\nENROOT_DATA_PATH /second\n")
    write(tmp_path, "etc/enroot/enroot.conf.d/x.conf", "ENROOT_TEMP_PATH ${HOME}/t\n")
    found = enroot_paths(Node(root=str(tmp_path)))
    assert found["ENROOT_DATA_PATH"] == f"/data/user-{os.getuid()}"
    assert found["ENROOT_TEMP_PATH"] == f"{os.environ['HOME']}/t"
    assert found["ENROOT_RUNTIME_PATH"] == "/run/enroot"


def test_a_path_that_enroots_shell_cannot_expand_is_named_and_nothing_is_written_for_it(tmp_path, monkeypatch):
    monkeypatch.delenv("ENROOT_DATA_PATH", raising=False)
    monkeypatch.chdir(tmp_path)
    write(tmp_path, "etc/enroot/enroot.conf", "ENROOT_DATA_PATH /data/$(id -u\n")
    monkeypatch.setattr(n_10_storage.reading, "write", lambda path: {"write": ""} if path else 1 / 0)
    found = n_10_storage.observe(Node(root=str(tmp_path)))
    assert found["ENROOT_DATA_PATH"]["path"] == ""
    finding = judge("N-10", found)
    assert finding.status == FAIL and "expands ENROOT_DATA_PATH to nothing" in finding.cause


def test_the_mount_of_a_path_is_the_longest_and_the_last():
    table = [
        {"point": point, "type": kind, "options": "rw", "source": "x", "part": "/"}
        for point, kind in (("/", "overlay"), ("/data", "ext4"), ("/data", "tmpfs"), ("/data2", "nfs"))
    ]
    assert mount_of("/data/x", table)["type"] == "tmpfs"
    assert mount_of("/dat", table)["type"] == "overlay"
    assert mounts(Node())[0]["point"]


def test_a_setting_of_slurm_is_read_exactly():
    text = "ConstrainDevices        = yes\nConstrainDevicesX = no\nPlugStackConfig = (null)\n"
    assert slurm.setting(text, "ConstrainDevices") == "yes" and slurm.setting(text, "Missing") == ""


def test_a_batch_script_asks_for_its_image_by_directive(monkeypatch, tmp_path):
    """The program in sbatch's place keeps what it was handed, and answers as a job inside the image would."""
    write(tmp_path, "sbatch", f'#!/bin/sh\necho "$@" > {tmp_path}/words\ncat > {tmp_path}/script\nexit 42\n', 0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    observed = c_08_batch.observe(
        Node(
            settings={
                "image": "/images/p.sqsh",
                "job": "validate-ab",
                "partition": "gpu",
                "proven": ["n1"],
                "roots": {"n1": "x:/"},
            }
        )
    )
    assert judge("C-08", observed).status == PASS
    assert "--job-name=validate-ab" in (tmp_path / "words").read_text()
    assert "--nodelist=n1" in (tmp_path / "words").read_text()
    assert "#SBATCH --container-image=/images/p.sqsh\n" in (tmp_path / "script").read_text()


@pytest.mark.parametrize(("own", "code"), [(True, c_08_batch.OUTSIDE), (False, c_08_batch.INSIDE)])
def test_a_batch_script_tells_its_image_from_the_node_by_what_is_mounted_on_root(own, code):
    root = root_mount(Node()) if own else "/dev/vda:/scratch/pyxis_7.1"
    codes = {"inside": c_08_batch.INSIDE, "outside": c_08_batch.OUTSIDE, "unknown": c_08_batch.UNKNOWN}
    script = c_08_batch.SCRIPT.format(image="x", root=shlex.quote(root), **codes)
    assert subprocess.run(["sh"], input=script, text=True, check=False).returncode == code


def test_mounts_are_read_only_after_an_automounter_was_asked_for_them(monkeypatch):
    asked: list[str] = []
    monkeypatch.setattr(Node, "run", lambda _node, words, _seconds: asked.append(words[-1]) or Output(0, "", ""))
    mounted = "7 1 0:5 / / rw - ext4 /dev/vda rw\n8 7 0:6 / /fsx rw - lustre server rw\n"
    monkeypatch.setattr(Node, "read", lambda _node, _path: mounted if "/fsx" in asked else mounted.partition("\n")[0])
    found = c_10_file_systems.observe(Node({"site_mounts": ["/fsx"]}))
    assert found["/fsx"] == {"problem": "", "mount": "/fsx", "access": "rw"} and asked[-1] == found["home"]["path"]


def test_a_directory_whose_server_hangs_is_given_up_and_not_looked_at_again(monkeypatch, tmp_path):
    """The program in ls's place waits for such a server; a home of many files takes long, and answers."""
    ls = "#!/bin/sh\ncase $3 in */dead) exec sleep 60;; */many) echo file; exec sleep 60;; *) exec /bin/ls $3;; esac\n"
    write(tmp_path, "ls", ls, 0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(c_10_file_systems, "PATIENCE", 0.5)
    resolved: list[str] = []
    monkeypatch.setattr(os.path, "realpath", lambda path: resolved.append(str(path)) or str(path))
    closed = write(tmp_path, "file", "")
    places = ["/fault/dead", "/fault/many", f"{tmp_path}/none", str(closed), "/"]
    found = c_10_file_systems.observe(Node({"site_mounts": places}))
    problems = [found[place]["problem"] for place in places]
    assert problems == [c_10_file_systems.HUNG, "", "No such file or directory", "", ""]
    assert "/fault/dead" not in resolved and "/fault/many" in resolved
    finding = judge("C-10", {"home": GOOD["C-10"]["home"], "/fault/dead": found["/fault/dead"]})
    assert finding.status == FAIL and finding.cause == "its server does not answer"


def test_a_file_system_that_became_read_only_is_one_whatever_its_mount_says():
    text = "7 1 0:5 / / rw,relatime - ext4 /dev/vda ro,errors=remount-ro\n8 7 0:6 / /x rw - ext4 /dev/vdb rw\n"
    assert [restrictions(mount["options"]) for mount in mounts_of(text)] == [["ro"], []]
    assert restrictions("rw,nosuid,noexec") == ["noexec"]


# What the mends of the review observe and say


@pytest.mark.parametrize(
    ("mode", "closed", "cause", "fix"),
    [
        (
            0o755,
            "",
            "root's with the mode 0755: the account cannot",
            "where all users share it: chown root:root {0}; chmod",
        ),
        (0o755, "user", "the directory {0} above it is not open to users", "chmod 1777 {0}"),
        (0o700, "user/more", "the directory {0} above it is not open to users", "chmod a+rx {0}"),
        (0o755, "user/more", "{0}/user is missing on this node: what makes it", "systemctl restart slipway-storage"),
    ],
)
def test_the_directory_in_the_way_is_named_with_what_opens_it(tmp_path, mode, closed, cause, fix):
    base = tmp_path / "data"
    base.mkdir(mode=mode)
    (base / "file").touch()
    seen = in_another_account(f"n_10_storage.reading.write({str(base / closed)!r})", tmp_path)
    place = {**PATHS["ENROOT_DATA_PATH"], "path": str(base / closed), **seen}
    finding = judge("N-10", {**PATHS, "ENROOT_DATA_PATH": place})
    assert finding.status == FAIL and cause.format(base) in finding.cause
    assert finding.fix.startswith(fix.format(base))


def in_another_account(expression: str, *entered: Path) -> Any:
    """Return what an expression is for the account nobody, which may enter the directories."""
    if os.getuid():
        pytest.skip("another account needs root")
    for directory in entered:
        for place in (directory, *directory.parents[:-1]):
            place.chmod(place.stat().st_mode | 0o055)
    reader, writer = os.pipe()
    if os.fork() == 0:
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
        os.write(writer, json.dumps(eval(expression)).encode())
        os._exit(0)
    os.close(writer)
    os.wait()
    with os.fdopen(reader) as stream:
        return json.load(stream)


def test_an_empty_directory_in_the_way_is_a_disk_that_is_not_mounted(tmp_path):
    seen = in_another_account(f"n_10_storage.reading.write({str(tmp_path / 'x/user')!r})", tmp_path)
    finding = judge("N-10", {**PATHS, "ENROOT_DATA_PATH": {**PATHS["ENROOT_DATA_PATH"], "path": "/x", **seen}})
    assert finding.cause.startswith(f"a disk is not mounted: {tmp_path}") and f"mount {tmp_path}" in finding.fix


def test_a_mount_that_is_empty_was_formatted_and_a_systems_directory_is_not_opened(tmp_path):
    (tmp_path / "lost+found").mkdir()
    seen = in_another_account(f"n_10_storage.reading.write({str(tmp_path / 'x/user')!r})", tmp_path)
    place = {**PATHS["ENROOT_DATA_PATH"], "path": f"{tmp_path}/x/user", "mount": str(tmp_path), **seen}
    finding = judge("N-10", {**PATHS, "ENROOT_DATA_PATH": place})
    assert f"{tmp_path}/x is missing on this node: {tmp_path} is mounted and empty" in finding.cause
    at = {"path": "/run", "owner": "root", "mode": "0755", "enters": True, "empty": False, "me": "member"}
    place = {**place, "path": "/run/enroot", "mount": "/run", "obstacle": at}
    finding = judge("N-10", {**PATHS, "ENROOT_RUNTIME_PATH": place})
    assert finding.cause.startswith("/run/enroot is missing on this node") and "chmod" not in finding.fix
    closed = {**place, "obstacle": {**at, "mode": "0700", "enters": False}}
    assert judge("N-10", {**PATHS, "ENROOT_RUNTIME_PATH": closed}).fix.startswith("chmod a+rx /run;")
    # Nodes that have the same mount show that no disk is missing.
    at = {**at, "path": "/scratch/slipway", "empty": True}
    place = {**place, "path": "/scratch/slipway/data/user", "mount": "/scratch", "obstacle": at}
    observed = {**PATHS, "ENROOT_DATA_PATH": {**place, "shape": PATHS["ENROOT_DATA_PATH"]["shape"]}}
    finding = judge("N-10", observed, fleet={**dict.fromkeys("abc", PATHS), "gpu001": observed})
    assert finding.cause.startswith("/scratch/slipway/data is missing on this node: what makes it")
    assert judge("N-10", observed).cause.startswith("a disk is not mounted: /scratch/slipway")


@pytest.mark.parametrize(
    ("changes", "cause", "fix"),
    [
        ({"there": False, "write": "/run/slipway is missing"}, "/run/slipway/pyxis is missing", "slipway-storage"),
        ({"there": False}, "/run/slipway/pyxis is missing on this node", "systemctl restart slipway-storage"),
        ({"there": True}, "/run/slipway/pyxis leads to /run/slipway/pyxis here, and to /scratch/pyxis", "ls -ld /run"),
        ({"there": False, "real": "/scratch/pyxis", "mount": "/"}, "a disk is not mounted: /scratch", "mount /scratch"),
        ({"real": "/scratch/pyxis", "mount": "/scratch/pyxis"}, "something is mounted on /scratch/pyxis", "umount"),
    ],
)
def test_a_link_that_is_gone_is_no_mount_too_many(changes, cause, fix):
    good = {**PATHS["pyxis"], "path": "/run/slipway/pyxis", "real": "/scratch/pyxis", "there": True}
    here = {**good, "mount": "/run", "real": "/run/slipway/pyxis", **changes}
    fleet = {f"n{number}": {**PATHS, "pyxis": good} for number in range(9)}
    finding = judge("N-10", {**PATHS, "pyxis": here}, fleet={**fleet, "gpu001": {**PATHS, "pyxis": here}})
    assert finding.status == FAIL and finding.cause.startswith(cause) and fix in finding.fix


def test_a_node_without_pyxiss_directory_says_what_is_missing(tmp_path, monkeypatch):
    line = {"arguments": [f"runtime_path={tmp_path}/slipway/pyxis"]}
    (tmp_path / "data").mkdir()
    monkeypatch.setattr(n_10_storage.slurm, "plugstack", lambda _node: {"pyxis": [line]})
    seen = n_10_storage.observe(Node())["pyxis"]
    assert seen["write"] == f"{tmp_path}/slipway is missing" and not seen["there"]
    finding = judge("N-10", {**PATHS, "pyxis": seen})
    assert finding.cause.startswith(f"{tmp_path}/slipway is missing on this node")
    (tmp_path / "slipway").mkdir()
    (tmp_path / "slipway/pyxis").symlink_to(tmp_path / "data")
    seen = n_10_storage.observe(Node())["pyxis"]
    assert (seen["write"], seen["real"], seen["there"]) == ("", str(tmp_path / "data"), True)


def test_a_closed_directory_of_all_users_is_opened_to_all():
    at = {"path": "/tmp", "owner": "root", "mode": "0755", "enters": True, "empty": False, "me": "member"}
    place = {**PATHS["temporary files"], "write": "Permission denied", "obstacle": at}
    finding = judge("N-10", {**PATHS, "temporary files": place})
    assert "its mode or owner was changed" in finding.cause and "chmod 1777 /tmp" in finding.fix


def test_paths_with_the_jobs_number_and_the_nodes_name_are_the_same_on_all(monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "71")
    assert storage.shape("/scratch/71/gpu001-x/171", "gpu001") == "/scratch/JOB/NODE-x/171"


def test_what_enroot_calls_is_looked_for_where_admins_have_it_too(tmp_path, monkeypatch):
    write(tmp_path, "usr/sbin/mksquashfs", "", 0o755)
    monkeypatch.setenv("PATH", "/nonexistent")
    found = n_05_programs.observe(Node(root=str(tmp_path)))
    assert found["mksquashfs"] == "/usr/sbin/mksquashfs" and found["jq"] == ""


def test_what_enroot_calls_is_tried_where_nothing_of_a_jobs_is_touched(tmp_path, monkeypatch):
    works = "#!/bin/sh\nexit 0\n"
    for name in (*n_05_programs.START, *n_05_programs.IMPORT):
        write(tmp_path, name, works, 0o755)
    # Another program of that name, recorded from moreutils 0.67; unsquashfs 4.6 ends with 1 for its version.
    usage = "echo \"parallel: invalid option -- '-'\" >&2; echo 'parallel [OPTIONS] command -- arguments'; exit 1"
    write(tmp_path, "parallel", f"#!/bin/sh\n{usage}\n", 0o755)
    write(tmp_path, "unsquashfs", "#!/bin/sh\nexit 1\n", 0o755)
    # Behind one that hangs nothing is tried.
    write(tmp_path, "zstd", "#!/bin/sh\nsleep 30\n", 0o755)
    write(tmp_path, "awk", "#!/bin/sh\nexit 2\n", 0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    seen = n_05_programs.observe(Node())
    assert seen["broken"] == {"parallel": "parallel: invalid option -- '-'", "zstd": "it hangs"}
    broken = {**GOOD["N-05"], "broken": seen["broken"]}
    finding = judge("N-05", broken, fleet={"gpu001": broken, "a": GOOD["N-05"], "b": GOOD["N-05"]})
    assert finding.status == FAIL and "does not work: parallel, zstd" in finding.cause
    assert finding.fix.startswith("type -a parallel") and "--reinstall parallel zstd" in finding.fix
    # Nodes may import nothing.
    assert judge("N-05", broken, fleet=dict.fromkeys("abc", broken)).status == WARN
    lame = {**GOOD["N-05"], "broken": {"unsquashfs": "cut off"}}
    assert judge("N-05", lame, fleet=dict.fromkeys("abc", lame)).status == FAIL


def test_a_program_that_users_may_not_execute_is_said_to_be_closed(tmp_path, monkeypatch):
    write(tmp_path, "usr/bin/enroot", "", 0o700)
    write(tmp_path, "usr/bin/docker", "", 0o700)
    write(tmp_path, "usr/bin/jq", "", 0o755)
    monkeypatch.setenv("PATH", "/nonexistent")
    seen = in_another_account(f"n_05_programs.observe(Node(root={str(tmp_path)!r}))", tmp_path / "usr/bin")
    assert seen["closed"] == {"enroot": "/usr/bin/enroot", "docker": "/usr/bin/docker"}
    finding = judge("N-05", changed("N-05", enroot="", closed=seen["closed"]))
    assert finding.fix == "chmod 0755 /usr/bin/enroot" and "users may not execute /usr/bin/enroot" in finding.cause
    # What the site does not promise may be closed.
    assert judge("N-05", changed("N-05", closed={"docker": "/usr/bin/docker"})).status == PASS
    closed = changed("N-05", curl="", closed={"curl": "/usr/bin/curl"})
    assert judge("N-05", closed, fleet=dict.fromkeys("abc", GOOD["N-05"])).fix == "chmod 0755 /usr/bin/curl"
    assert judge("N-05", closed, fleet=dict.fromkeys("abc", closed)).status == WARN


def test_a_program_that_no_node_has_is_a_warning_and_one_that_starts_containers_a_failure():
    nobody = {f"n{number}": changed("N-05", parallel="") for number in range(9)}
    assert judge("N-05", changed("N-05", parallel=""), fleet=nobody).status == WARN
    assert judge("N-05", changed("N-05", unsquashfs="")).status == FAIL
    assert judge("N-05", changed("N-05", unsquashfs=""), settings={"runtimes": ["pyxis"]}).status == PASS


def test_a_missing_program_is_installed_by_the_name_of_its_package():
    lacking = changed("N-05", mksquashfs="", unsquashfs="", find="", awk="", jq="")
    one = judge("N-05", lacking, fleet={**fleet("N-05"), "gpu001": lacking})
    assert one.fix.startswith(
        "apt-get install --reinstall squashfs-tools jq findutils gawk (dnf: reinstall, or install"
    )
    none = changed("N-05", awk="", find="")
    everywhere = judge("N-05", none, fleet=dict.fromkeys("abc", none))
    assert everywhere.status == WARN and everywhere.fix.startswith("install findutils gawk; ")


def test_held_and_half_installed_packages_are_read(tmp_path, monkeypatch):
    text = "hi  enroot 4.1.2-1\niF  docker-ce 28.0\nrc  apptainer 1.3\niHR containerd.io 1.7\n"
    write(tmp_path, "dpkg-query", f"#!/bin/sh\nprintf '{text}'\n", 0o755)
    write(tmp_path, "enroot", "#!/bin/sh\necho no licence >&2\nexit 3\n", 0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    found = n_06_packages.observe(Node())
    assert found["enroot"] == "4.1.2-1" and "apptainer" not in found
    assert found["broken"] == {"docker-ce": "half-configured", "containerd.io": "half-installed"}
    assert found["enroot fails"] == "exit code 3 no licence"
    assert "was cut off" in judge("N-06", found).cause
    assert "is broken" in judge("N-06", {**found, "broken": {}}).cause


# Recorded from dpkg 1.22 as an ordinary account; rpm's lines are in the form of its manual.
VERIFIED = {
    "dpkg": [
        "??5?????? c /etc/enroot/enroot.conf", "?????????   /usr/bin/enroot", "??5??????   /usr/lib/enroot/a.sh",
        "missing     /usr/lib/enroot/b.sh", "missing   c /etc/enroot/hooks.d/x", "missing     /usr/share/doc/enroot/c",
        "missing     /root/x (Permission denied)",
    ],
    "rpm": [
        "S.5....T.  c /etc/enroot/enroot.conf", ".M.......    /usr/bin/enroot", "S.5....T.    /usr/lib/enroot/a.sh",
        "missing     /usr/lib/enroot/b.sh", ".......T.  d /usr/share/doc/enroot/c",
    ],
}  # fmt: skip


@pytest.mark.parametrize("program", ["dpkg", "rpm"])
def test_files_that_are_not_as_in_their_package_are_named(tmp_path, monkeypatch, program):
    said = write(tmp_path, "said", "\n".join(VERIFIED[program]) + "\n")
    installed = "#!/bin/sh\n[ $1 = --verify ] && cat {} || echo 'ii  enroot 4.1.2-1'\n"
    write(tmp_path, program, installed.format(said), 0o755)
    write(tmp_path, "dpkg-query", installed.format(said), 0o755 if program == "dpkg" else 0o600)
    write(tmp_path, "enroot", "#!/bin/sh\necho 4.1.2\n", 0o755)
    (tmp_path / "cat").symlink_to("/bin/cat")
    monkeypatch.setenv("PATH", str(tmp_path))
    found = n_06_packages.observe(Node())
    assert found["altered"] == {"/usr/lib/enroot/a.sh": "missing", "/usr/lib/enroot/b.sh": "missing"}
    finding = judge("N-06", found)
    assert finding.status == FAIL and "; mv /usr/lib/enroot/a.sh /usr/lib/enroot/b.sh /root; " in finding.fix


def test_a_file_of_a_package_that_all_nodes_have_so_may_be_edited_on_purpose(tmp_path, monkeypatch):
    edited = {**GOOD["N-06"], "altered": {"/usr/lib/enroot/a.sh": "0123"}}
    other = {**GOOD["N-06"], "altered": {"/usr/lib/enroot/a.sh": "4567"}}
    assert judge("N-06", edited, fleet=dict.fromkeys("abc", edited)).status == WARN
    assert judge("N-06", edited, fleet={"gpu001": edited}).status == WARN
    for fleet in ({"a": other, "b": other}, {"a": GOOD["N-06"], "b": GOOD["N-06"]}, {"a": GOOD["N-06"]}):
        assert judge("N-06", edited, fleet={"gpu001": edited, **fleet}).status == FAIL
    unknown = {**GOOD["N-06"], "altered": None}
    assert "is not known" in judge("N-06", unknown).cause
    # The one that is as packaged is not to blame.
    assert judge("N-06", GOOD["N-06"], fleet={"gpu001": GOOD["N-06"], "a": other, "b": other}).status == PASS
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(n_06_packages, "PATIENCE", 0.3)
    write(tmp_path, "dpkg-query", "#!/bin/sh\necho 'ii  enroot 4.1.2-1'\n", 0o755)
    write(tmp_path, "dpkg", "#!/bin/sh\nexec /bin/sleep 30\n", 0o755)
    assert n_06_packages.observe(Node())["altered"] is None


def test_the_daemons_own_directories_are_measured_with_what_is_in_them(tmp_path, monkeypatch):
    monkeypatch.setenv("SLURM_CONF", "/etc/slurm/slurm.conf")
    write(tmp_path, "etc/slurm/slurm.conf", "SlurmdSpoolDir=/spool/%n\n")
    write(tmp_path, "etc/docker/daemon.json", '{"data-root": "/scratch/docker"}')
    assert n_11_space.daemons(Node(root=str(tmp_path), name="gpu001"))[:2] == ["/spool/gpu001", "/scratch/docker"]
    write(tmp_path, "full/large", "x" * 2**20)
    assert n_11_space.biggest(Node(root=str(tmp_path)), "/full") == [f"{tmp_path}/full/large 0.0 GiB"]
    full = {"places": {"/var": {**SMALL, "biggest": ["/var/log 9.0 GiB"]}}, "data": "/"}
    assert "/var/log 9.0 GiB" in judge("N-11", full).observed


def test_a_daemon_json_that_is_none_is_said_before_docker_is_started_again(tmp_path):
    write(tmp_path, "etc/docker/daemon.json", '{"data-root": ')
    found = n_07_drift.observe(Node(root=str(tmp_path)))
    finding = judge("N-07", found)
    assert finding.status == FAIL and "will not start again" in finding.cause


def test_a_drop_in_that_names_its_own_node_is_the_same_everywhere(tmp_path):
    for name in ("gpu001", "gpu002"):
        write(tmp_path, f"{name}/etc/systemd/system/slurmd.service.d/x.conf", f"[Service]\nEnvironment=N={name}\n")
    one, other = (n_07_drift.observe(Node(root=str(tmp_path / name), name=name)) for name in ("gpu001", "gpu002"))
    assert one == other and one


def test_a_setting_of_the_system_that_differs_is_a_warning_and_one_of_the_stack_a_failure():
    for name, status in (("/etc/sysctl.d/50-site.conf", WARN), ("/etc/sysctl.d/80-enroot.conf", FAIL)):
        observed = {**GOOD["N-07"], name: "0 0644"}
        assert judge("N-07", observed, fleet={**fleet("N-07"), "gpu001": observed}).status == status
    finding = judge("N-07", observed, fleet={**fleet("N-07"), "gpu001": observed})
    assert finding.fix.endswith("where it is not wanted: ssh gpu001 rm /etc/sysctl.d/80-enroot.conf")


def test_a_drop_in_of_one_node_is_removed_with_a_restart_of_its_unit():
    name = "/run/systemd/system/slurmd.service.d/x.conf"
    observed = {**GOOD["N-07"], name: "0 0644"}
    finding = judge("N-07", observed, fleet={**fleet("N-07"), "gpu001": observed})
    assert f"{name} lies on this node, and on most others it does not" in finding.cause
    again = "ssh gpu001 'systemctl daemon-reload && systemctl restart slurmd.service'"
    assert finding.fix.endswith(f"rm {name} && {again}")
    # Of a package that the others lack, the package says more.
    observed["packages"] = {name: "dpkg slurmd"}
    assert "it is of the package slurmd" in judge("N-07", observed, fleet={**fleet("N-07"), "gpu001": observed}).fix


@pytest.mark.parametrize(
    ("own", "cause", "fix"),
    [
        ("0123456789abcdef 0600", "has the mode 0600 here", "chmod 0644 /etc/enroot/enroot.conf"),
        ("Permission denied", "users cannot read /etc/enroot/enroot.conf", "chmod 0644 /etc/enroot/enroot.conf"),
        ("1123456789abcdef 0600", "", "diff <(ssh"),
        ("Input/output error", "", "diff <(ssh"),
        (None, "", "diff <(ssh"),
    ],
)
def test_a_mode_that_differs_is_told_from_content(own, cause, fix):
    fleet = dict.fromkeys("abc", GOOD["N-07"])
    finding = judge("N-07", {"/etc/enroot/enroot.conf": own} if own else {}, fleet=fleet)
    assert finding.status == FAIL and (cause in finding.cause if cause else not finding.cause)
    assert finding.fix.startswith(("ls -l /etc/enroot/enroot.conf; " if own == "Permission denied" else "") + fix)


def test_a_soft_limit_below_a_hard_one_came_with_the_job():
    hard = GOOD["N-22"]["hard"]
    low = judge("N-22", changed("N-22", nofile=256))
    assert "propagated from the submit host" in low.cause and "PropagateResourceLimitsExcept=NOFILE" in low.fix
    own = judge("N-22", changed("N-22", nofile=256, hard={**hard, "nofile": 256}))
    assert "slurmd runs with a low limit" in own.cause and "LimitNOFILE" in own.fix
    assert judge("N-22", changed("N-22", fsize=2**40)).status == PASS


@pytest.mark.parametrize(
    ("kind", "changes", "status", "words"),
    [
        ("simulated", {"nproc": 4000}, PASS, ""),
        ("simulated", {"nproc": 1000}, FAIL, "PropagateResourceLimitsExcept=NPROC"),
        ("simulated", {"as": 2**34}, PASS, ""),
        ("nvidia_h100", {"nproc": 4000}, WARN, "PropagateResourceLimitsExcept=NPROC"),
        ("nvidia_h100", {"nproc": 4000}, WARN, "on purpose"),
        ("nvidia_h100", {"nproc": 4096}, PASS, ""),
        ("nvidia_h100", {"nproc": 1024}, WARN, "on purpose"),
        ("nvidia_h100", {"nproc": 1023}, FAIL, "PropagateResourceLimitsExcept=NPROC"),
        ("nvidia_h100", {"nproc": 2000, "hard": {"nproc": 2000}}, WARN, "systemctl show slurmd -p LimitNPROC"),
        ("nvidia_h100", {"nproc": 2000, "memlock": 65536}, FAIL, "PropagateResourceLimitsExcept=MEMLOCK"),
        ("nvidia_h100", {"fsize": 2**35}, WARN, "on purpose"),
        ("nvidia_h100", {"fsize": 2**33}, FAIL, "PropagateResourceLimitsExcept=FSIZE"),
        ("nvidia_h100", {"as": 2**40}, FAIL, "PropagateResourceLimitsExcept=AS"),
        ("nvidia_h100", {"as": 2**40, "hard": {"as": 2**40}}, FAIL, "systemctl show slurmd -p LimitAS"),
        ("nvidia_h100", {}, PASS, ""),
    ],
)
def test_a_low_limit_that_came_with_every_job_needs_no_other_node(kind, changes, status, words):
    observed = changed("N-22", **changes)
    finding = judge("N-22", observed, kind, fleet=dict.fromkeys("abc", observed))
    assert finding.status == status and words in finding.fix


def test_what_runs_and_starts_at_no_boot_is_found_beside_the_others(monkeypatch):
    answers = {
        "slurmd.service": "loaded active disabled", "docker.service": "loaded active enabled",
        "docker.socket": "loaded active disabled", "nvidia-persistenced.service": "loaded active static",
    }  # fmt: skip

    def show(_node: Node, words: list[str], _seconds: float) -> Output:
        assert words[:2] == ["systemctl", "show"], words
        blocks = []
        for unit in words[2:-1]:
            load, active, enabled = answers.get(unit, "not-found inactive ").split(" ")
            # An alias of the unit that systemd names.
            name = "dockerd.service" if unit == "docker.service" else unit
            blocks.append(
                f"Id={name}\nNames={name} {unit}\nLoadState={load}\nActiveState={active}\nUnitFileState={enabled}"
            )
        return Output(0, "\n\n".join(blocks) + "\n", "")

    monkeypatch.setattr(Node, "run", show)
    found = n_29_daemons.observe(Node())
    assert found["known"] and found["units"] == {}
    assert set(found["boot"]) == {"slurmd", "docker", "docker.socket", "nvidia-persistenced"}
    assert n_29_daemons.starting(found) == {
        "slurmd": False, "docker": True, "docker.socket": True, "nvidia-persistenced": True,
    }  # fmt: skip
    found["boot"]["docker"]["enabled"] = "disabled"
    assert not n_29_daemons.starting(found)["docker.socket"]
    found["boot"]["docker"]["enabled"] = "enabled"
    finding = judge("N-29", found, fleet={**fleet("N-29"), "gpu001": found})
    assert finding.status == FAIL and finding.fix == "systemctl enable slurmd"
    everywhere = {f"n{number}": found for number in range(9)}
    assert judge("N-29", found, fleet={**everywhere, "gpu001": found}).status == PASS


def test_only_the_inventory_says_what_a_submit_host_is_to_have(document, verdict):
    observed = document["hosts"]["login1"]["checks"]["H-14"]["observed"]
    observed.update(programs={**observed["programs"], "docker": {"path": "", "code": None, "said": ""}}, group=False)
    document["settings"]["runtimes"] += ["docker"]
    assert verdict(document, "login1", "H-14").status == PASS
    document["roster"][0]["runtimes"] = ["enroot", "pyxis", "docker"]
    assert verdict(document, "login1", "H-14").observed == "not found: docker"
    observed["programs"]["docker"] = {"path": "/usr/bin/docker", "code": 0, "said": "Docker version 26.1.5"}
    assert verdict(document, "login1", "H-14").observed == "no group docker"


def test_a_daemon_of_one_submit_host_that_starts_at_no_boot_is_a_fault_beside_the_others():
    lost = changed("H-14", boot={"munge": {"state": "active", "enabled": "disabled"}})
    finding = judge("H-14", lost, fleet={"login1": lost, "login2": GOOD["H-14"]})
    assert (finding.status, finding.fix) == (FAIL, "systemctl enable munge")


def test_the_programs_of_a_submit_host_are_asked_for_their_versions(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    write(tmp_path, "enroot", "#!/bin/sh\necho broken >&2; exit 1\n", 0o755)
    write(
        tmp_path,
        "systemctl",
        "#!/bin/sh\necho Id=munge.service; echo LoadState=loaded; echo ActiveState=active\n",
        0o755,
    )
    seen = h_14_stack.observe(Node(root=str(tmp_path)))
    assert seen["programs"]["enroot"] == {"path": f"{tmp_path}/enroot", "code": 1, "said": "broken"}
    assert seen["boot"] == {"munge": {"enabled": "", "state": "active"}} and not seen["platform"]
    assert json.dumps(seen)


def test_a_preloaded_library_that_is_missing_needs_no_other_node(tmp_path):
    write(tmp_path, "etc/ld.so.preload", "/usr/lib/libfault.so # x\nlibbare.so\n/usr/$LIB/liby.so\n")
    assert n_30_alike.missing_libraries(Node(root=str(tmp_path))) == ["/usr/lib/libfault.so"]
    finding = judge("N-30", changed("N-30", preload_missing=["/usr/lib/libfault.so"]))
    assert finding.status == FAIL and finding.fix.startswith("remove /usr/lib/libfault.so")


def test_munge_is_blamed_where_scontrol_names_it():
    ping = "scontrol: error: Munge encode failed: Failed to connect to socket: Permission denied"
    finding = judge("N-30", changed("N-30", reached=False, ping=ping))
    assert "do not reach munge" in finding.cause and "ls -ld /run/munge" in finding.fix
    assert "firewall" in judge("N-30", changed("N-30", reached=False, ping="Slurmctld(primary) is DOWN")).cause


def test_the_devices_of_every_program_are_looked_at():
    seen = n_31_devices.observe(Node())
    assert judge("N-31", {**GOOD["N-31"], **{name: seen[name] for name in ("null", "zero", "urandom")}}).status == PASS
    for change, words in (
        ({"mode": 0o600}, "chmod 0666 /dev/null"),
        ({"number": None}, "mknod -m 0666 /dev/null c 1 3"),
        ({"number": [1, 5]}, "mknod -m 0666 /dev/null c 1 3"),
    ):
        finding = judge("N-31", changed("N-31", null={**GOOD["N-31"]["null"], **change}))
        assert finding.status == FAIL and words in finding.fix
    assert judge("N-31", changed("N-31", null={"problem": "No such file or directory"})).status == FAIL
    assert judge("N-31", changed("N-31", fuse={"number": [10, 229], "mode": 0o600})).status == WARN
    assert judge("N-31", changed("N-31", fuse={"problem": "No such file or directory"})).status == PASS
    no_terminal = judge("N-31", changed("N-31", terminal="No such file or directory"))
    assert no_terminal.status == WARN and no_terminal.fix.startswith("findmnt /dev/pts")
    assert "in use" in judge("N-31", changed("N-31", terminal="No space left on device")).cause


def test_a_closed_directory_of_the_system_explains_more_than_what_is_missed_in_it(tmp_path):
    for name in ("etc/x", "usr/lib/x", "dev/x"):
        write(tmp_path, name, "")
    (tmp_path / "usr").chmod(0o700)
    seen = in_another_account(f"n_31_devices.observe(Node(root={str(tmp_path)!r}))", tmp_path)
    # What lies below it cannot be told from what is not there.
    assert seen["closed"] == ["/usr"] and seen["terminal"] == ""
    finding = judge("N-31", {**GOOD["N-31"], **seen, "null": GOOD["N-31"]["null"]})
    assert "users cannot enter /usr" in finding.cause and finding.fix == "chmod 0755 /usr"


def test_a_bus_that_does_not_run_is_a_failure_with_what_starts_it():
    # Recorded from systemd 257.
    said = "Failed to connect to system scope bus via local transport: Connection refused"
    assert judge("N-33", {"said": said}).fix.endswith("systemctl start dbus.socket dbus")
    assert judge("H-13", {"code": 1, "stdout": "", "stderr": said}).status == FAIL
    assert judge("N-33", {"said": "it hangs"}).status == judge("N-33", {}).status == ERROR
    # In a container that systemd did not start.
    other = "System has not been booted with systemd as init system (PID 1).\nFailed to connect to bus: Host is down"
    assert judge("N-33", {"said": other}).status == ERROR


def test_a_temporary_directory_that_is_none_is_made_anew():
    place = {**PATHS["temporary files"], "path": "/var/tmp", "write": "File exists"}
    finding = judge("N-10", {**PATHS, "lasting temporary files": place})
    assert "no directory: a link that leads nowhere" in finding.cause
    assert finding.fix.endswith("install -d -m 1777 /var/tmp")


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("squashfuse_ll exited: fuse: device not found, try 'modprobe fuse' first", "/dev/fuse is missing"),
        ("while mounting /nowhere/site: mount source /nowhere/site doesn't exist", "bind path"),
        ("FATAL: something else", "does not start a container"),
    ],
)
def test_what_apptainer_says_of_its_start_has_causes_of_its_own(said, words):
    finding = judge("A-06", {**GOOD["A-06"], "problem": said}, settings={"runtimes": ["apptainer"]})
    assert words in finding.cause


def test_what_users_may_change_of_what_root_loads_is_found(tmp_path):
    for name in ("hooks.d/50-a.sh", "hooks.d/60-b.sh"):
        write(tmp_path, f"etc/enroot/{name}", "", 0o755)
    (tmp_path / "etc/enroot/environ.d").mkdir()
    (tmp_path / "etc/enroot/environ.d/masked.env").symlink_to("/dev/null")
    seen = n_32_loaded.observe(Node(root=str(tmp_path)))
    assert (seen["open"], seen["secrets"]) == ({}, [])
    (tmp_path / "etc/enroot/hooks.d").chmod(0o1777)
    (tmp_path / "etc/enroot/hooks.d/60-b.sh").chmod(0o757)
    found = n_32_loaded.observe(Node(root=str(tmp_path)))
    assert set(found["open"]) == {"/etc/enroot/hooks.d", "/etc/enroot/hooks.d/60-b.sh"}
    finding = judge("N-32", found)
    assert finding.fix.startswith("chmod go-w /etc/enroot/hooks.d /etc/enroot/hooks.d/60-b.sh; look")


def test_what_the_account_of_the_run_alone_may_change_is_a_warning_that_names_it(tmp_path):
    write(tmp_path, "etc/slurm/slurm.conf", "").chmod(0o664)
    os.chown(tmp_path / "etc/slurm/slurm.conf", 0, 65534)
    seen = in_another_account(f"n_32_loaded.observe(Node(root={str(tmp_path)!r}))", tmp_path / "etc/slurm")
    assert list(seen["open"]) == ["/etc/slurm/slurm.conf"]
    finding = judge("N-32", seen, fleet=dict.fromkeys("abc", seen))
    assert finding.status == WARN and "every user" not in finding.cause
    assert finding.cause.startswith("nobody, which runs this, may change /etc/slurm/slurm.conf")
    assert "validate_user" in finding.fix and "else chmod go-w /etc/slurm/slurm.conf" in finding.fix
    assert "the account, which runs this" in judge("N-32", {"open": seen["open"]}).cause
    # Where the other nodes do not let it, something was changed on this one.
    alone = judge("N-32", seen, fleet={**fleet("N-32"), "gpu001": seen})
    assert alone.status == FAIL and "on this node alone" in alone.cause
    # What everybody may change comes first.
    both = {**seen, "open": {**seen["open"], "/etc/slurm": {"mode": "0777", "owner": 0}}}
    assert judge("N-32", both).status == FAIL and "every user can become root" in judge("N-32", both).cause


def test_a_key_that_users_can_read_is_found(tmp_path):
    write(tmp_path, "etc/munge/munge.key", "x", 0o444)
    node = f"n_32_loaded.observe(Node(root={str(tmp_path)!r}))"
    for mode, secrets in ((0o700, []), (0o777, ["/etc/munge/munge.key"])):
        (tmp_path / "etc/munge").chmod(mode)
        seen = in_another_account(node, tmp_path / "etc")
        assert seen["secrets"] == secrets and ("/etc/munge" in seen["open"]) == (mode == 0o777)
    finding = judge("N-32", seen)
    assert finding.status == FAIL and "users may read /etc/munge/munge.key" in finding.cause
    assert "chmod 0400 /etc/munge/munge.key; chmod 0700 /etc/munge;" in finding.fix
    (tmp_path / "etc/munge/munge.key").chmod(0o400)
    finding = judge("N-32", in_another_account(node, tmp_path / "etc"))
    assert finding.status == FAIL and finding.fix.startswith("chmod go-w /etc/munge;")


@pytest.mark.parametrize(
    ("settings", "problem", "status"),
    [
        ({"runtimes": ["enroot", "apptainer"]}, "FATAL: no fuse", FAIL),
        ({"runtimes": ["enroot", "apptainer"]}, "", WARN),
        ({}, "FATAL: no fuse", WARN),
    ],
)
def test_fuse_is_needed_where_apptainer_does_not_start(settings, problem, status):
    observed = changed("N-31", fuse={"number": [10, 229], "mode": 0o600})
    finding = judge("N-31", observed, others={"A-06": {"problem": problem}}, settings=settings)
    assert finding.status == status and "chmod 0666 /dev/fuse" in finding.fix
    # A kernel may be without it.
    missing = changed("N-31", fuse={"problem": "No such file or directory"})
    assert judge("N-31", missing, others={"A-06": {"problem": problem}}, settings=settings).status == PASS


def test_what_a_drop_in_of_slurmd_takes_away_is_named(monkeypatch):
    text = "LoadState=loaded\nDropInPaths=/etc/systemd/system/slurmd.service.d/x.conf\nPrivateTmp=yes\nProtectHome=no\n"
    monkeypatch.setattr(Node, "run", lambda *_words: Output(0, text, ""))
    finding = judge("N-33", n_33_unit.observe(Node()))
    assert finding.observed == "PrivateTmp=yes" and "slurmd.service.d/x.conf" in finding.fix
    assert judge("N-33", {"LoadState": "not-found"}).status == PASS


# What systemctl show prints of a unit without any of it.
DEFAULTS = {
    "RootDirectory": "", "RootImage": "", "InaccessiblePaths": "", "TemporaryFileSystem": "", "ReadOnlyPaths": "",
    "NoExecPaths": "", "BindPaths": "", "BindReadOnlyPaths": "", "SystemCallFilter": "~", "IPAddressDeny": "",
    "RestrictAddressFamilies": "~", "ProtectKernelModules": "no", "ProtectHostname": "no",
    "CapabilityBoundingSet": "cap_chown cap_setgid cap_setuid cap_sys_admin cap_mknod cap_bpf",
}  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, ""),
        ({name: "[unprintable]" for name in DEFAULTS if "Root" not in name and "Protect" not in name}, ""),
        ({"SystemCallFilter": "", "RestrictAddressFamilies": "", "CapabilityBoundingSet": ""}, ""),
        ({"SystemCallFilter": "~reboot swapon:EPERM kexec_load", "RestrictAddressFamilies": "~AF_PACKET"}, ""),
        ({"SystemCallFilter": "@system-service @mount"}, ""),
        ({"RestrictAddressFamilies": "AF_INET AF_INET6 AF_NETLINK AF_UNIX"}, ""),
        ({"InaccessiblePaths": "/boot -/root /dev/mem", "ReadOnlyPaths": "/etc /usr", "NoExecPaths": "/tmp"}, ""),
        ({"RootDirectory": "/srv/root"}, "jobs see another root directory"),
        ({"InaccessiblePaths": "-/scratch"}, "jobs do not see what lies there"),
        ({"InaccessiblePaths": "/boot /dev/fuse"}, "jobs do not see what lies there"),
        ({"TemporaryFileSystem": "/tmp:size=1G"}, "jobs see an empty directory there"),
        ({"ReadOnlyPaths": "/scratch/ENROOT_DATA_PATH"}, "jobs cannot write there"),
        ({"ReadOnlyPaths": "/"}, "jobs cannot write there"),
        ({"NoExecPaths": "/scratch"}, "jobs cannot execute"),
        ({"SystemCallFilter": "~add_key mount:EPERM"}, "containers cannot be started"),
        ({"SystemCallFilter": "read write unshare"}, "containers cannot be started"),
        ({"RestrictAddressFamilies": "AF_UNIX"}, "jobs do not reach the network"),
        ({"CapabilityBoundingSet": "cap_chown cap_setgid cap_setuid"}, "gets cap_sys_admin, cap_mknod"),
    ],
)
def test_a_setting_of_slurmds_unit_harms_by_what_it_names(changes, words):
    observed = {**GOOD["N-33"], **DEFAULTS, **changes}
    finding = judge("N-33", observed)
    assert finding.status == (FAIL if words else PASS) and words in finding.cause
    assert judge("N-33", {**observed, **DEFAULTS}).status == PASS


@pytest.mark.parametrize(
    "changes",
    [
        {"BindPaths": "/nvme/tmp:/tmp:rbind"},
        {"ProtectHostname": "yes"},
        {"IPAddressDeny": "0.0.0.0/0 ::/0"},
        {"SystemCallFilter": "~reboot"},
    ],
)
def test_what_a_site_may_want_is_a_fault_on_one_node_alone(changes):
    good = {**GOOD["N-33"], **DEFAULTS}
    bad = {**good, **changes}
    fleet = {**{f"n{number}": good for number in range(9)}, "gpu001": bad}
    finding = judge("N-33", bad, fleet=fleet)
    assert finding.status == FAIL and "it is not set so on the other nodes" in finding.cause
    assert judge("N-33", good, fleet={**dict.fromkeys(fleet, bad), "gpu001": good}).status == PASS
    assert judge("N-33", bad, fleet=dict.fromkeys(fleet, bad)).status == PASS
    assert judge("N-33", bad).status == PASS


def test_nvidia_smi_may_be_missing_without_its_driver_and_must_not_hang():
    missing = {"code": 127, "stdout": "", "stderr": "", "seconds": 0.0, "found": False}
    assert judge("N-04", missing).status == SKIP
    assert judge("N-04", missing, kind="nvidia").status == FAIL
    assert judge("N-04", {**missing, "found": True, "code": None}).status == FAIL
    assert judge("N-04", {**missing, "found": True, "code": 9}).status == PASS


@pytest.mark.parametrize(
    ("bus", "driver", "count", "words"),
    [
        # The module is gone, and its device files stayed.
        (8, False, 8, "the driver is not loaded"),
        (7, True, 7, "a GPU fell off the bus: 7 of 8"),
        (8, False, 0, "the driver is not loaded"),
        (8, True, 7, "device files are missing: /dev/nvidia7"),
        (8, True, 9, "Slurm promises fewer GPUs"),
    ],
)
def test_another_number_of_gpus_has_one_cause(bus, driver, count, words):
    names = [f"nvidia{number}" for number in range(count)]
    seen = {**GOOD["N-03"], "nvidia": {"devices": names, "openable": names if driver else [], "driver": driver}}
    steps = {"host": {"hello": {**HELLO, "hardware": {"nvidia": bus}}}}
    context = Context("gpu001", kinds.load()["nvidia"], slurm={"gpus": 8}, steps=steps, settings=SETTINGS)
    finding = load()["N-03"].judge(seen, context)
    assert finding.status == FAIL and finding.cause.startswith(words)


def test_a_clock_that_is_behind_is_told_from_a_record_that_is_late():
    late = {"host": {"hello": {**HELLO, "epoch": NOW - 1}}}
    for observed, received, status in ((NOW, NOW + 30, PASS), (NOW - 60, NOW, FAIL), (NOW + 60, NOW, FAIL)):
        steps = late if status == PASS else {"host": {"hello": {**HELLO, "epoch": observed - 1}}}
        context = Context("gpu001", kinds.load()["simulated"], steps=steps, received=received)
        assert load()["N-24"].judge(observed, context).status == status


def test_a_closed_dev_null_breaks_no_observation(monkeypatch):
    real = os.open
    monkeypatch.setattr(os, "devnull", "/proc/fault")
    assert Node().run(["cat"], 5) == Output(0, "", "")
    assert real is os.open


@pytest.mark.parametrize("more", ["", " Comment=rack 7"])
def test_who_drained_a_node_and_when_is_no_part_of_the_reason(more):
    observed = {"state": "IDLE+DRAIN", "reason": f"Epilog error [root@2026-11-20T03:00:00]{more}"}
    assert judge("L-04", observed).observed == "IDLE+DRAIN: Epilog error"


@pytest.mark.parametrize(
    ("group", "status"),
    [({"well": False, "tasks": []}, SKIP), ({"well": True, "tasks": []}, FAIL), (None, FAIL)],
)
def test_a_group_that_does_not_start_with_another_runtime_either_says_nothing_of_apptainer(group, status):
    silent = {"nodes": 2, "each": 16, "fault": "ranks unknown of 0 tasks", "said": "", "short": ["a", "b"], "count": 0}
    more = {"others": {"M-02": group}, "settings": {"runtimes": ["apptainer"]}}
    assert judge("M-03", silent, **more).status == status
    assert judge("M-03", {**silent, "count": 3}, **more).status == FAIL
