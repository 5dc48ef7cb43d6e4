"""A small cluster in values: a document that the judge accepts, for tests to break in one place."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from tests.unit.validate import observations
from validate import kinds, results, stored
from validate.catalogue import load
from validate.checks.n_05_programs import IMPORT, START
from validate.checks.n_31_devices import DEVICES
from validate.checks.n_33_unit import SETTINGS
from validate.model import Verdict
from validate.reading import ENROOT_KEYS
from validate.storage import COMMON

NOW = 1_800_000_000.0
DISK = {"mount": "/scratch", "type": "ext4", "options": "rw,relatime", "write": ""}
LIMITS = {"memlock": -1, "nofile": 20000, "as": -1, "core": 0, "fsize": -1, "stack": 8388608, "nproc": 256_000}
# An observation of each check with which a sandbox's node passes.
GOOD: dict[str, Any] = {
    "H-01": {"code": 0, "stdout": "Slurmctld(primary) at head is UP\n", "stderr": ""},
    "H-03": {name: {"knows": True, "said": ""} for name in ("srun", "sbatch", "salloc")},
    "H-04": {
        "main": "/run/slurm/conf/plugstack.conf",
        "files": {"/run/slurm/conf/plugstack.conf": ""},
        "pyxis": [{"file": "/run/slurm/conf/plugstack.conf", "flag": "required", "plugin": "/x/spank_pyxis.so"}],
    },
    "H-05": {
        "ConstrainDevices": "yes",
        "ConstrainRAMSpace": "yes",
        "ProctrackType": "proctrack/cgroup",
        "TaskPlugin": "task/cgroup,task/affinity",
        "ConstrainCores": "yes",
    },
    "H-06": {"code": 0, "stdout": "MPI plugin types are...\n\tnone\n\tpmix\n", "stderr": ""},
    "H-07": {
        "code": 0,
        "stdout": "",
        "stderr": "srun: Job 13 to start at 2026-11-22T19:40:00\n",
        "uid": 2001,
        "partition": {"PartitionName": "main", "State": "UP", "AllowGroups": "ALL"},
        "groups": ["member"],
    },
    "H-08": {
        "file": "/images/probe.sqsh",
        "magic": "hsqs",
        "size": 8192,
        "used": 8000,
        "wanted": "b" * 64,
        "sum": "b" * 64,
    },
    "H-11": {
        "places": {
            name: {"size": 2**40, "free": 2**39, "used": 0.5, "inodes": 0.1, "read_only": False}
            for name in ("/", "/home/member")
        },
        "home": "/home/member",
        "own": {"account": "member", "problem": "", "mode": 0o700, "owner": "member", "writable": True},
        "shared": {name: {"mode": 0o1777, "owner": "root", "writable": True} for name in ("/tmp", "/var/tmp")},
    },
    "H-12": {"before": NOW, "after": NOW + 0.1, "controller": int(NOW), "code": 0, "said": ""},
    "H-13": {"code": 0, "stdout": "", "stderr": ""},
    "H-14": {
        "programs": {
            name: {"path": f"/usr/bin/{name}", "code": 0, "said": "1"} for name in ("enroot", "apptainer", "docker")
        },
        "group": True,
        "boot": {name: {"state": "active", "enabled": "enabled"} for name in ("munge", "sackd")},
        "platform": False,
    },
    "N-02": "slurm-wlm 24.11.5",
    "N-03": {
        "nvidia": {
            **{name: [f"nvidia{i}" for i in range(8)] for name in ("devices", "openable")},
            "numbers": {f"nvidia{i}": f"195:{i}" for i in range(8)},
            "modes": {f"nvidia{i}": "0666" for i in range(8)},
        },
        "amd": {"devices": [], "openable": []},
        "neuron": {"devices": [], "openable": []},
    },
    "N-04": {"code": 127, "stdout": "", "stderr": "nvidia-smi: No such file", "seconds": 0.0, "found": False},
    "N-05": {
        "srun": "/usr/bin/srun",
        "enroot": "/usr/bin/enroot",
        "docker": "",
        "apptainer": "",
        "nvidia-container-cli": "",
        **{name: f"/usr/bin/{name}" for name in (*START, *IMPORT)},
    },
    "N-06": {
        "enroot": "4.1.2-1",
        "enroot+caps": "4.1.2-1",
        "enroot version": "4.1.2",
        "pyxis": "0.24.0-slurm-24.11",
    },
    "N-07": {"/etc/enroot/enroot.conf": "0123456789abcdef 0644"},
    "N-08": {"code": 0, "stdout": "", "stderr": "", "limit": 95_000},
    "N-09": {
        "enroot-aufs2ovlfs": "0100000200002008000000000000000000000000",
        "enroot-mksquashovlfs": "0100000200002000000000000000000000000000",
        "nosuid": [],
        "locked": False,
    },
    "N-10": {
        **{key: {**DISK, "path": f"/scratch/{key}", "shape": f"/scratch/{key}"} for key in ENROOT_KEYS},
        "pyxis": {**DISK, "path": "/run/slipway/pyxis", "real": "/scratch/slipway/pyxis", "there": True},
        **{key: {**DISK, "path": path, "mode": 0o1777} for key, path in COMMON.items()},
        "configuration": {"file": "/etc/enroot/enroot.conf", "problem": ""},
    },
    "N-11": {
        "places": {"/": {"size": 2**40, "free": 2**39, "used": 0.5, "inodes": 0.1}},
        "data": "/",
    },
    "N-12": {"50-slurm-pmi.sh": "", "50-slurm-pytorch.sh": "", "98-nvidia.sh": ""},
    "N-21": {},
    "N-22": {
        **LIMITS,
        "hard": {**LIMITS, "nofile": 524_288, "core": -1, "stack": -1},
    },
    "N-24": NOW,
    "N-25": {"code": 0, "stdout": "", "stderr": ""},
    "N-27": {"flag": False, "release": "6.1.0"},
    "N-30": {
        "hostname": "gpu001",
        "own_name": True,
        "account": "member",
        "lookup": "files dns",
        "resolved": ["its own name", "the controller"],
        "nameserver": "answers",
        "controller": "head",
        "address": "10.0.0.1",
        "reached": True,
        "mtu": "9000",
        "zone": "UTC +0000",
        "preload": "",
        "preload_missing": [],
    },
    "L-01": {"names": [], "jobs": ["7"], "docker": []},
    "L-06": {"visible": True, "busy": []},
    "N-31": {name: {"number": [major, minor], "mode": mode} for name, (major, minor, mode) in DEVICES.items()},
    "N-32": {"open": {}},
    "N-33": {"LoadState": "loaded", **{name: good[0] for name, (good, _lost) in SETTINGS.items()}},
    "N-34": {"name": "gpu001", "own": ["10.0.0.1", "172.17.0.1"], "neighbours": {"gpu002": ["10.0.0.2"]}},
    "D-01": {"installed": False},
    "D-02": {"sockets": {"/run/docker.sock": [0o660, 0, 990]}, "programs": {"/usr/bin/docker": 0o755}, "ports": []},
    "A-06": {},
    "C-01": {"release": "debian 12", "root": "/dev/vda:/scratch/pyxis_7.1"},
    "C-02": {
        **{name: [f"nvidia{i}" for i in range(8)] for name in ("openable", "there")},
        "uuids": None,
        "restricted": False,
        "variables": {"NVIDIA_VISIBLE_DEVICES": "all", "NVIDIA_DRIVER_CAPABILITIES": ""},
    },
    "C-03": {"openable": 8, "allocated": "8"},
    "C-08": {
        "image": "/images/probe.sqsh",
        "runs": [{"node": "gpu001", "known": True, "code": 42, "stdout": "", "stderr": ""}],
    },
    "C-09": {"rw": "", "ro": "EROFS", "uid": 2001},
    "C-10": {"home": {"path": "/home/member", "problem": "", "mount": "/home", "type": "nfs4", "access": "rw"}},
    "C-11": {"uid": 2001, "me": 2001, "text": "slipway-validate-token"},
    "C-13": {"SLURM_JOB_ID": "7", "SLURM_STEP_ID": "1", "SLURM_PROCID": "0", "SLIPWAY_VALIDATE": "/t", "given": "/t"},
    "C-18": {},
    "C-22": {"image": "head:5000/x:1", "code": 0, "stdout": "", "stderr": "", "size": 2_000_000},
    "C-20": {"head:5000": ["image", "", ""]},
    "C-21": {"outside": {"/home/member": [7, 99]}, "inside": {"/home/member": [7, 99]}, "said": ""},
    "I-01": {"openable": ["nvidia0"], "visible": "0"},
    "I-06": {"node": 8, "answer": {"given": 1, "taken": 1}, "confined": "yes", "said": ""},
    "L-04": {"state": "MIXED", "reason": ""},
    "L-05": [],
}
GOOD["N-28"] = GOOD["H-04"]
GOOD |= observations.GOOD


def node(name: str, **changes: Any) -> dict[str, Any]:
    entry = {
        "name": name, "role": "compute", "in_slurm": True, "gpus": 8, "unusable": "", "state": "idle", "flags": [],
        "reason": "", "reason_by": "", "reason_at": "",
    }  # fmt: skip
    return {**entry, **changes}


def host(name: str, checks: list[str]) -> dict[str, Any]:
    """What came back from a good host."""
    entries = load()
    hello = {"hello": 1, "hostname": name, "began": NOW - 1, "epoch": NOW, "release": "debian 13", "hardware": {}}
    records = {}
    for check in checks:
        observed: Any = copy.deepcopy(GOOD.get(check))
        if check == "C-13":
            observed["SLURMD_NODENAME"] = name
        if check == "M-11":
            observed.update(node=name, address=name)
        if check == "N-34" and name[-3:].isdigit():
            at = int(name[-3:])
            beside = {f"gpu{number:03}": [f"10.0.0.{number}"] for number in (at - 1, at + 1)}
            observed.update(name=name, own=[f"10.0.0.{at}", "172.17.0.1"], neighbours=beside)
        if observed is not None:
            step = entries[check].check.step
            records[check] = {"check": check, "step": step, "seconds": 0.1, "received": NOW, "observed": observed}
    steps = {}
    for step in {entries[check].check.step for check in checks}:
        root = "/dev/vda:/scratch/pyxis_7.1" if step in ("container", "one_gpu") else "overlay:/"
        steps[step] = {"hello": {**hello, "step": step, "root": root}, "received": NOW, "bye": 3}
    return {"steps": steps, "checks": records, "said": {}, "refused": None, "job": 7}


@pytest.fixture
def document() -> dict[str, Any]:
    """A login host and ten nodes, all of them good."""
    return cluster(10)


@pytest.fixture
def small() -> dict[str, Any]:
    """A login host and three nodes, for tests of every check."""
    return cluster(3)


def cluster(count: int) -> dict[str, Any]:
    entries = load()
    submit = [check for check, entry in entries.items() if entry.check.step == "submit"]
    others = [check for check in entries if check not in submit]
    names = [f"gpu{number:03}" for number in range(1, count + 1)]
    login = node("login1", role="login", in_slurm=False, gpus=0, state="login")
    return {
        "schema": stored.SCHEMA,
        "run": "0123abcd",
        "started": NOW - 20,
        "finished": NOW,
        "tier": "standard",
        "checks": list(entries),
        "settings": {
            "kind": "simulated", "image": "/images/probe.sqsh", "runtimes": ["enroot", "pyxis"], "allow": ["network"],
            "hooks": ["50-slurm-pmi.sh", "50-slurm-pytorch.sh"], "container_start": 120, "site_mounts": [],
        },
        "cluster": {"name": "test", "version": "24.11.5", "only_in_slurm": []},
        "roster": [login, *(node(name) for name in names)],
        "hosts": {"login1": host("login1", submit), **{name: host(name, others) for name in names}},
        "profiles": {kind: kinds.record(profile) for kind, profile in kinds.load().items()},
        "notes": [],
    }  # fmt: skip


Find = Callable[[dict[str, Any], str, str], Verdict]


@pytest.fixture
def verdict() -> Find:
    """Judge a document and return one cell."""

    def find(content: dict[str, Any], name: str, check: str) -> Verdict:
        found = [item for item in results.judged(content).of(name) if item.check == check]
        assert len(found) == 1, f"{len(found)} verdicts of {check} on {name}"
        return found[0]

    return find
