"""What the later checks observe on a good node, and what they then observed or would on bad ones.

Where it is not said otherwise, the forms are those of our own probe. No GPU, NCCL, DCGM or PyTorch was at hand: what
their programs print is taken from their documentation (nccl-tests' README, nvbandwidth's and dcgmi's JSON, nvidia-smi's
manual), and none of those texts was recorded by us.
"""

from __future__ import annotations

import json
from typing import Any

from validate import nccl


def said(stdout: str = "", code: int | None = 0, stderr: str = "", **more: Any) -> dict[str, Any]:
    return {"code": code, "stdout": stdout, "stderr": stderr, **more}


# Lines of mountinfo for /, in a container of enroot's and on the node.
INSIDE = "412 388 254:1 /scratch/enroot/data/user-2001/pyxis_7.1 / rw,relatime master:1 - ext4 /dev/vda1 rw\n"
OUTSIDE = "388 371 0:52 / / rw,relatime - overlay overlay rw,lowerdir=/a,upperdir=/b,workdir=/c\n"


# Of enroot 4.1.2 and pyxis 0.24.0, recorded on Slurm 24.11 with an image that had no /dev.
UNSAVED = """slurmstepd-compute1: error: pyxis: child 14843 failed with error code: 1
slurmstepd-compute1: error: pyxis: printing enroot log file:
slurmstepd-compute1: error: pyxis:     find: '/scratch/slipway/enroot/data/user-2001/pyxis_13.33/dev': Permission denied
slurmstepd-compute1: error: pyxis: failed to export container pyxis_13.33 to /tmp/slipway-13/saved.sqsh
slurmstepd-compute1: error: spank: required plugin spank_pyxis.so: task_exit() failed with rc=-1
"""


def task(rank: int, host: str = "gpu001", **more: Any) -> dict[str, Any]:
    known = {"host": host, "task": str(rank), "rank": str(rank), "size": None, "library": False, "directory": True}
    return {**known, **more}


NCCL = """# nThread 1 nGpus 8 minBytes 268435456 maxBytes 8589934592 step: 2(factor) iters: 20 agg iters: 1
# Using devices
#  Rank  0 Group  0 Pid  4242 on     gpu001 device  0 [0x1b] NVIDIA H100 80GB HBM3
#  Rank  1 Group  0 Pid  4242 on     gpu001 device  1 [0x43] NVIDIA H100 80GB HBM3
#
#       size         count      type   redop    root     time   algbw   busbw #wrong     time   algbw   busbw #wrong
#        (B)    (elements)                               (us)  (GB/s)  (GB/s)            (us)  (GB/s)  (GB/s)
   268435456      67108864     float     sum      -1   1142.2  235.02  411.28      0   1141.1  235.24  411.67      0
  8589934592    2147483648     float     sum      -1    31230  275.05  481.34      0    31240  274.97  481.19      0
# Out of bounds values : 0 OK
# Avg bus bandwidth    : 446.37
NCCL version 2.21.5+cuda12.4
"""
FAST = {**nccl.read(NCCL, "", 0), "gpus": 8}
SLOW = {**FAST, "busbw": 100.0}
STUCK = {**nccl.read("", "", None), "gpus": 8}
WRONG = {**FAST, "wrong": 3}
BROKEN = {**nccl.read("", "NCCL WARN Cuda failure 'peer access is not supported'", 3), "gpus": 8}

BANDWIDTH = {
    "nvbandwidth": {
        "testcases": [
            {"name": name, "status": "Passed", "bandwidth_matrix": [["55.4", "55.3"]]}
            for name in ("host_to_device_memcpy_ce", "device_to_host_memcpy_ce", "device_local_copy")
        ]
    }
}
DCGM = {
    "DCGM Diagnostic": {
        "test_categories": [
            {"category": "Hardware", "tests": [{"name": "PCIe", "results": [{"gpu_id": "0", "status": "Pass"}]}]},
            {
                "category": "Stress",
                "tests": [
                    {"name": "Memory", "results": [{"gpu_id": "1", "status": "Fail", "warnings": [{"warning": "ECC"}]}]}
                ],
            },
        ]
    }
}

GOOD: dict[str, Any] = {
    "H-09": {"/run/slurm/conf/plugstack.conf": "0123456789abcdef", "/etc/enroot/enroot.conf": "fedcba9876543210"},
    "H-10": {"known": True, "scripts": {"/etc/slurm/epilog": said(seconds=0.2)}},
    "N-26": {
        "options": {"USER_NS": "y"},
        "published": True,
        "shown": dict.fromkeys(("NAMESPACES", "USER_NS", "SECCOMP_FILTER", "OVERLAY_FS"), True),
        "limits": {"max_user_namespaces": "95000", "max_mnt_namespaces": "95000"},
    },
    "N-29": {
        "known": True,
        "units": {name: {"state": "active", "said": ""} for name in ("munge", "slurmd")},
        "boot": {
            name: {"state": "active", "enabled": "enabled"}
            for name in ("munge", "slurmd", "docker", "docker.socket", "nvidia-persistenced")
        },
    },
    "C-06": {"image": "", "root": "overlay:/"},
    "C-07": {"image": "head:5000/x:1", "root": "overlay:/", **said(f"ID=debian\n{INSIDE}")},
    "C-12": {**said("0\n"), "owner": 2001, "me": 2001},
    "C-14": {"first": said(), "second": said("kept\n")},
    "C-15": {**said(), "magic": "hsqs", "size": 60_000_000},
    "C-16": {"image": "head:5000/x:1", "import": said(), "start": said()},
    "C-17": {"image": "/x.sqsh", "host": "ID=debian\n", "made": said(), "ran": said("ID=slipway-test\n")},
    "C-19": said(),
    "I-02": {
        "devices": 2,
        "answers": [{"devices": [f"/dev/nvidia{n}"], "began": 10.0 + n, "ended": 14.0 + n} for n in range(2)],
        "said": "",
    },
    "I-03": {"nvidia0": "", **{f"nvidia{n}": "EPERM" for n in range(1, 8)}},
    "I-04": said("opened=0\n"),
    "I-05": {
        **said(code=1, stderr="slurmstepd: error: Detected 1 oom_kill event in StepId=7.9."),
        "state": "ALLOCATED",
    },
    "I-07": {
        "bind": "mask_cpu:0xf,0xf0",
        "wanted": 2,
        "ranks": [
            {
                "rank": n,
                "cores": [4 * n],
                "card": f"0000:0{n}:00.0",
                "card_numa": str(n),
                "cores_numa": [str(n)],
                "right": [4 * n, 4 * n + 1, 4 * n + 2, 4 * n + 3],
            }
            for n in range(2)
        ],
        "said": "",
    },
    "I-08": {"devices": 2, **said("task=1 opened=1\ntask=0 opened=1\n")},
    "I-09": {"installed": True, "refused": "permission denied"},
    "M-01": {"tasks": [task(0), task(1)], "code": 0, "said": ""},
    "M-02": {"nodes": 4, "tasks": [task(0), task(1)], "well": True, "fault": "", "said": "", "pairs": None},
    "M-03": {"nodes": 2, "each": 16, "fault": "", "said": "", "count": 16},
    "M-08": {"given": "eth0", "links": {"eth0": "up", "lo": "unknown"}},
    "M-11": {"node": "gpu001", "address": "gpu001", "pattern": "node", "switches": []},
    "P-07": {"image": "/images/probe.sqsh", "rate": 2000.0, "direct": True},
    "A-02": {"ran": True, "ways": {"--bind": "", "APPTAINER_BIND": ""}, "site": None},
    "A-03": {"ran": True, "build": said(), "inside": said("0\n")},
    "A-04": {
        "installed": True,
        "directories": {
            name: {"given": "/scratch/x", "path": "/scratch/x", "type": "ext4", "writable": True, "in_home": False}
            for name in ("CACHEDIR", "TMPDIR")
        },
    },
    "A-05": {"image": "head:5000/x:1", "build": said(), "inside": said(), "proxy": []},
    "L-02": {how: {"started": True, "left": [], "seconds": 0.5} for how in ("asked", "killed")},
    "L-03": {
        "image": "head:5000/x:1",
        "codes": [0, 0],
        "said": "",
        "path": "/scratch/cache",
        "first": {"ab": [1, 2]},
        "second": {"ab": [1, 2]},
    },
    # On hardware that the small cluster of the tests has not.
    "C-05": {"image": "nvidia/cuda:13.0.0-base-ubuntu24.04", **said()},
    "A-01": {"ran": True, **said("".join(f"GPU {n}: NVIDIA H100 (UUID: GPU-{n})\n" for n in range(8)))},
    "D-03": {"image": "x", "refused": False, **said("".join(f"GPU {n}: NVIDIA H100\n" for n in range(8)))},
    "D-04": {"image": "x", "started": said(), "before": said("GPU 0\n"), "reload": 0, "after": said("GPU 0\n")},
    "B-01": {
        "images": ["devel", "base"],
        "built": said(),
        "ran": said("sum=5559680\n"),
        "compiler": "",
        "sizes": ["200000000", "7000000000"],
    },
    "B-02": {
        "versions": [["2.9.0a0", "13.0", "/x"]] * 2,
        "constraint": "/etc/pip/constraint.txt",
        "code": 0,
        "said": "",
    },
    "B-03": {"built": True, "import": said(), "ran": said("sum=5559680\n")},
    "X-01": said(
        stderr="[WARN] Kernel module nvidia_uvm is not loaded. Make sure the NVIDIA device driver is installed"
    ),
    "X-02": {"kfd": ["kfd"], "cards": [f"dri/renderD{128 + n}" for n in range(8)], "there": 8},
    "X-03": {"openable": [f"neuron{n}" for n in range(8)], "there": 8},
    "M-04": FAST,
    "M-05": {**FAST, "nodes": ["gpu001", "gpu002"]},
    "M-06": {"with": "gpu002", "seen": FAST, "bound": 380.0},
    "M-07": {"code": 0, "used": [["IB", ""], ["", "IB"]], "direct": True, "said": ""},
    "M-09": {
        "size": 16,
        "missing": [],
        "states": [1.25],
        "totals": [136.0],
        "ended": 16,
        "code": 0,
        "mine": 8,
        "each": 8,
        "said": "",
    },
    "M-10": {"nodes": 64, "whole": FAST, "parts": []},
    "P-01": {"tflops": [650.0] * 8, "together": 5100.0, "wrong": [0] * 8, "said": ""},
    "P-02": {
        "rates": {
            name: [55.0] for name in ("host_to_device_memcpy_ce", "device_to_host_memcpy_ce", "device_local_copy")
        },
        "code": 0,
        "said": "",
    },
    "P-03": said("= 30900.123 double-precision GFLOP/s at 30 flops per interaction\n"),
    "P-04": {
        "asked": said(
            "".join(f"{n}, 00000000:{n}B:00.0, 61, Not Active, Not Active, Not Active, Not Active\n" for n in range(8))
        ),
        "answers": [{"device": "H100", "wrong": 0, "seconds": 0.01, "launches": 9}] * 8,
    },
    "P-05": [{"device": "H100", "wrong": 0, "seconds": 0.01, "launches": 900}] * 8,
    "P-06": {"code": 0, "results": [["PCIe", "Pass", ""]], "said": ""},
}


def changed(check: str, **changes: Any) -> Any:
    return {**GOOD[check], **changes}


LONE = {"with": "gpu002", "seen": False, "again": {"with": "gpu003", "seen": False}}
SPLIT = {"well": False, "fault": "ranks [0] of 1 tasks", "said": "srun: error: timeout"}
ROW = "0, 00000000:0B:00.0, 92, Active, Active, Not Active, Not Active\n"
# check, kind of node, what was observed, verdict, words of the finding
BAD: list[tuple[str, str, Any, str, str]] = [
    ("H-10", "simulated", {"known": False, "scripts": {}}, "ERROR", "nothing"),
    (
        "H-10",
        "simulated",
        {"known": True, "scripts": {"/x": said(code=1, stderr="no", seconds=0.1)}},
        "FAIL",
        "/x ended with 1",
    ),
    ("H-10", "simulated", {"known": True, "scripts": {"/x": said(seconds=9.0)}}, "FAIL", "9.0 s"),
    (
        "N-26",
        "simulated",
        changed("N-26", limits={"max_user_namespaces": "0", "max_mnt_namespaces": "9"}),
        "FAIL",
        "user_namespaces=0",
    ),
    ("N-26", "simulated", changed("N-26", shown={**GOOD["N-26"]["shown"], "OVERLAY_FS": False}), "FAIL", "OVERLAY_FS"),
    ("N-26", "simulated", changed("N-26", limits={"max_user_namespaces": ""}), "ERROR", "cannot be read"),
    (
        "N-29",
        "simulated",
        {"known": True, "units": {"slurmd": {"state": "failed", "said": "fatal: no munge"}}},
        "FAIL",
        "fatal: no munge",
    ),
    ("N-29", "simulated", {"known": False, "units": {}}, "ERROR", "systemd"),
    (
        "C-05",
        "nvidia",
        changed("C-05", code=1, stderr="requirement error: unsatisfied condition: cuda>=13.0"),
        "FAIL",
        "cuda>=13.0",
    ),
    ("C-05", "nvidia", {"image": ""}, "SKIP", "validate_newest_image"),
    ("C-06", "nvidia", {"image": "ubuntu", "root": "overlay:/", **said(f"ID=ubuntu\n{INSIDE}")}, "FAIL", "0 GPUs"),
    (
        "C-06",
        "nvidia",
        {
            "image": "ubuntu",
            "root": "overlay:/",
            **said(f"ID=ubuntu\n{INSIDE}" + "".join(f"GPU {n}: x\n" for n in range(8))),
        },
        "FAIL",
        "no libcuda",
    ),
    (
        "C-06",
        "simulated",
        {"image": "ubuntu", "root": "overlay:/", **said(code=1, stderr="no such image")},
        "FAIL",
        "no such image",
    ),
    *(
        ("C-06", "simulated", {"image": "ubuntu", "root": "overlay:/", **said(f"ID=ubuntu\n{shown}")}, status, words)
        for shown, status, words in (
            (INSIDE, "PASS", "0 GPUs"),
            (OUTSIDE, "FAIL", "own system"),
            ("", "ERROR", "mounted on /"),
        )
    ),
    ("C-07", "simulated", changed("C-07", stdout="ID=debian\n"), "ERROR", "mounted on /"),
    ("C-07", "simulated", changed("C-07", stdout=f"ID=debian\n{OUTSIDE}"), "FAIL", "own system"),
    (
        "C-07",
        "simulated",
        changed("C-07", stdout="", stderr="[ERROR] URL https://r/ returned error code: 429"),
        "FAIL",
        "429",
    ),
    (
        "C-07",
        "simulated",
        changed("C-07", stdout="", stderr="[ERROR] URL https://r/ returned error code: 401"),
        "FAIL",
        "refuses the account",
    ),
    ("C-07", "simulated", changed("C-07", code=None), "FAIL", "within 300 s"),
    ("C-07", "nvidia", GOOD["C-07"], "FAIL", "0 GPUs"),
    ("C-12", "simulated", changed("C-12", stdout="2001\n"), "FAIL", "uid 2001 inside"),
    ("C-12", "simulated", changed("C-12", owner=100000), "FAIL", "owner 100000"),
    ("C-14", "simulated", changed("C-14", second=said(code=1, stderr="cat: no such file")), "FAIL", "second start"),
    ("C-14", "simulated", changed("C-14", second=said("")), "FAIL", "new root file system"),
    ("C-15", "simulated", changed("C-15", magic="ELF"), "FAIL", "begins with 'ELF'"),
    ("C-15", "simulated", changed("C-15", magic="", size=0), "FAIL", "no file"),
    ("C-15", "simulated", changed("C-15", magic="", size=0, stderr=UNSAVED), "FAIL", "the image has no /dev,"),
    ("C-15", "simulated", changed("C-15", code=1, stderr="No space left on device"), "FAIL", "No space"),
    (
        "C-16",
        "simulated",
        changed("C-16", **{"import": said(code=1, stderr="failed to create opaque ovlfs whiteout: x")}),
        "FAIL",
        "whiteout",
    ),
    ("C-17", "simulated", changed("C-17", made=said(code=1, stderr="No space left")), "FAIL", "No space"),
    ("C-17", "simulated", changed("C-17", ran=said("ID=debian\n")), "FAIL", "ID=debian"),
    ("C-19", "simulated", said(code=137, stderr="oom_kill event"), "FAIL", "oom_kill"),
    (
        "I-02",
        "simulated",
        changed("I-02", answers=[GOOD["I-02"]["answers"][0]] * 2),
        "FAIL",
        "/dev/nvidia0 and /dev/nvidia0",
    ),
    (
        "I-02",
        "simulated",
        changed("I-02", answers=[{**GOOD["I-02"]["answers"][0], "ended": 10.5}, GOOD["I-02"]["answers"][1]]),
        "ERROR",
        "same time",
    ),
    ("I-02", "simulated", changed("I-02", answers=[None, None], said="srun: error"), "ERROR", "srun: error"),
    ("I-03", "simulated", dict.fromkeys(("nvidia0", "nvidia1"), ""), "FAIL", "2 opened"),
    ("I-03", "simulated", {"nvidia0": "", "nvidia1": "EIO"}, "FAIL", "nvidia1: EIO"),
    ("I-04", "simulated", said("opened=8\n"), "FAIL", "8 GPUs"),
    ("I-04", "simulated", said(code=1, stderr="nvidia-container-cli: no devices"), "FAIL", "no devices"),
    ("I-05", "simulated", {**said("survived 600\n"), "state": "ALLOCATED"}, "FAIL", "600 MB"),
    ("I-05", "simulated", {**GOOD["I-05"], "state": "IDLE+DRAIN"}, "FAIL", "IDLE+DRAIN"),
    ("I-05", "simulated", {**said(code=1, stderr="python3: no such file"), "state": ""}, "ERROR", "python3"),
    (
        "I-07",
        "simulated",
        changed("I-07", ranks=[GOOD["I-07"]["ranks"][0], {**GOOD["I-07"]["ranks"][1], "cores_numa": ["0"]}]),
        "FAIL",
        "rank 1 on NUMA 0",
    ),
    ("I-07", "simulated", changed("I-07", ranks=[]), "ERROR", "0 ranks"),
    ("I-08", "simulated", {"devices": 2, **said("task=1 opened=0\ntask=0 opened=1\n")}, "FAIL", "task 1: 0"),
    ("I-08", "simulated", {"devices": 2, **said(code=1, stderr="Invalid generic resource")}, "FAIL", "Invalid generic"),
    ("M-01", "simulated", {"tasks": [task(0), task(0)], "code": 0, "said": ""}, "FAIL", "ranks [0, 0]"),
    ("M-01", "simulated", {"tasks": [task(0, directory=False), task(1)], "code": 0, "said": ""}, "FAIL", "directory"),
    (
        "M-01",
        "simulated",
        {"tasks": [task(0, library=True, size=1, code=0)] + [task(1)], "code": 0, "said": ""},
        "FAIL",
        "PMIx counts",
    ),
    (
        "M-01",
        "simulated",
        {"tasks": [task(0, library=True, code=-25), task(1)], "code": 0, "said": ""},
        "FAIL",
        "PMIx_Init returned -25",
    ),
    ("M-01", "simulated", {"tasks": [], "code": 1, "said": "srun: error: Couldn't find mpi/pmix"}, "FAIL", "mpi/pmix"),
    ("M-01", "simulated", {"tasks": [], "code": None, "said": ""}, "FAIL", "no answer"),
    (
        "M-01",
        "simulated",
        {"tasks": [], "code": 1, "said": "srun: error: mpi/pmix_v4: init: (null) [0]: can not load PMIx library"},
        "FAIL",
        "the library that it loads is not",
    ),
    ("M-02", "simulated", changed("M-02", **SPLIT, pairs=LONE), "FAIL", "with gpu002 and gpu003"),
    ("M-02", "simulated", changed("M-02", **SPLIT, pairs={"with": "gpu002", "seen": True}), "PASS", "well with gpu002"),
    (
        "M-02",
        "simulated",
        changed("M-02", **SPLIT, pairs={**LONE, "again": {"with": "gpu003", "seen": True}, "link": ""}),
        "PASS",
        "not with gpu002",
    ),
    (
        "M-02",
        "simulated",
        changed("M-02", **SPLIT, pairs={**LONE, "again": {"with": "gpu003", "seen": True}, "link": "gpu002"}),
        "FAIL",
        "not with gpu002; well with gpu003",
    ),
    (
        "M-02",
        "simulated",
        changed("M-02", **SPLIT, pairs={"with": "gpu002", "seen": True, "link": "gpu004"}),
        "FAIL",
        "link between gpu001 and gpu004",
    ),
    (
        "M-02",
        "simulated",
        changed("M-02", **SPLIT, pairs={"with": "gpu002", "seen": True}, unexplained=True),
        "FAIL",
        "no node and no pair",
    ),
    (
        "M-03",
        "simulated",
        changed("M-03", fault="x", short=["gpu002"]),
        "PASS",
        "is not well: tasks are missing on gpu002",
    ),
    ("M-03", "simulated", changed("M-03", fault="x", short=["gpu001"], count=15), "FAIL", "15 of 16"),
    ("M-03", "simulated", changed("M-03", fault="ranks [0, 0] of 2 tasks"), "FAIL", "ranks [0, 0]"),
    (
        "M-03",
        "simulated",
        changed("M-03", count=0, fault="x", said="libmpi.so.40: cannot open"),
        "FAIL",
        "libmpi.so.40",
    ),
    ("M-04", "nvidia_h100", SLOW, "FAIL", "100 GB/s at 8192 MiB"),
    ("M-04", "nvidia_h100", STUCK, "FAIL", "no end"),
    ("M-04", "nvidia_h100", WRONG, "FAIL", "3 wrong"),
    ("M-04", "nvidia_h100", BROKEN, "FAIL", "peer access"),
    ("M-05", "nvidia_h100", {**WRONG, "nodes": ["a", "b"]}, "FAIL", "3 wrong"),
    ("M-06", "nvidia", changed("M-06", seen=SLOW, again={"with": "gpu003", "seen": SLOW}), "FAIL", "with gpu003"),
    (
        "M-06",
        "nvidia",
        changed("M-06", seen=SLOW, again={"with": "gpu003", "seen": FAST}, link=""),
        "PASS",
        "not with gpu002",
    ),
    (
        "M-06",
        "nvidia",
        changed("M-06", seen=SLOW, again={"with": "gpu003", "seen": FAST}, link="gpu002"),
        "FAIL",
        "link between gpu001 and gpu002",
    ),
    ("M-07", "nvidia_h100", changed("M-07", used=[["Socket", ""]]), "FAIL", "NET/Socket"),
    ("M-07", "nvidia_h100", changed("M-07", used=[]), "FAIL", "nothing of this node"),
    ("M-08", "simulated", {"given": "hsn", "links": {"eth0": "up"}}, "FAIL", "hsn: missing"),
    ("M-08", "simulated", {"given": "hsn", "links": {"hsn0": "up", "hsn1": "down"}}, "FAIL", "hsn1: down"),
    ("M-08", "simulated", {"given": "=eth", "links": {"eth0": "up"}}, "FAIL", "eth: missing"),
    ("M-08", "simulated", {"given": "^lo,docker", "links": {"eth0": "up", "docker0": "down"}}, "PASS", "^lo"),
    ("M-08", "nvidia_h100", {"given": "", "links": {}}, "WARN", "not set"),
    ("M-09", "nvidia", changed("M-09", missing=[3, 4]), "FAIL", "rendezvous: 3, 4"),
    ("M-09", "nvidia", changed("M-09", totals=[135.0]), "FAIL", "135"),
    ("M-09", "nvidia", changed("M-09", states=[1.25, 1.26]), "FAIL", "1.26"),
    ("M-09", "nvidia", changed("M-09", ended=0, said="RuntimeError: NCCL"), "FAIL", "NCCL"),
    ("M-10", "nvidia", {"nodes": 64, "whole": STUCK, "parts": [["gpu003", "gpu004"]]}, "FAIL", "gpu003,gpu004"),
    ("M-11", "simulated", changed("M-11", address=""), "FAIL", "(not set)"),
    ("M-11", "simulated", changed("M-11", address="s0.s9.gpu001", switches=[["s0", ""], ["s1", ""]]), "FAIL", "s9"),
    ("M-11", "simulated", changed("M-11", address="s0.s1.gpu001", switches=[["s0", ""], ["s1", ""]]), "PASS", "s0.s1"),
    ("P-01", "nvidia_h100", changed("P-01", wrong=[0] * 7 + [5]), "FAIL", "wrong numbers"),
    ("P-01", "nvidia_h100", changed("P-01", tflops=[], said="ImportError: torch"), "ERROR", "torch"),
    (
        "P-02",
        "nvidia_h100",
        changed("P-02", rates={**GOOD["P-02"]["rates"], "host_to_device_memcpy_ce": [55.0, 12.0]}),
        "FAIL",
        "12",
    ),
    ("P-02", "nvidia_h100", changed("P-02", rates={}), "ERROR", "no number"),
    ("P-03", "nvidia_a100", said("= 900.5 double-precision GFLOP/s at 30 flops per interaction\n"), "PASS", "900.5"),
    ("P-03", "nvidia_a100", said("Error: only 0 Devices available\n", code=1), "ERROR", "0 Devices"),
    ("P-04", "nvidia", changed("P-04", asked=said(ROW * 8)), "FAIL", "hw_slowdown, hw_thermal_slowdown at 92 C"),
    ("P-04", "nvidia", changed("P-04", answers=[{"hung": True}]), "ERROR", "not under load"),
    ("P-04", "nvidia", changed("P-04", asked=said("garbage")), "ERROR", "garbage"),
    ("P-05", "nvidia", [*GOOD["P-05"][1:], {"hung": True}], "FAIL", "GPU 7: lost"),
    ("P-05", "nvidia", [*GOOD["P-05"][1:], {"wrong": 2, "launches": 900}], "FAIL", "2 wrong"),
    ("P-05", "nvidia", [*GOOD["P-05"][1:], {"wrong": 0, "launches": 500}], "FAIL", "500 rounds"),
    ("P-05", "nvidia", [], "ERROR", "0 GPUs"),
    ("P-06", "nvidia", changed("P-06", results=[["Memory", "Fail", "ECC"]]), "FAIL", "Memory: ECC"),
    (
        "P-06",
        "nvidia",
        changed("P-06", results=[], said="Error: unable to establish a connection"),
        "ERROR",
        "connection",
    ),
    ("P-07", "simulated", {"image": "/x", "rate": None, "said": "dd: error reading"}, "ERROR", "error reading"),
    (
        "A-01",
        "nvidia",
        changed("A-01", stdout="", stderr="INFO: Could not find any nv files on this host!"),
        "FAIL",
        "nv files",
    ),
    (
        "A-02",
        "simulated",
        changed("A-02", ways={"--bind": "FATAL: user bind control disabled"}),
        "FAIL",
        "bind control",
    ),
    ("A-02", "simulated", changed("A-02", site=said(code=2, stderr="ls: /data: No such file")), "FAIL", "/data"),
    (
        "A-03",
        "simulated",
        changed("A-03", build=said(stderr="INFO: Build complete"), inside=said(code=255, stderr="FATAL: disallowed")),
        "FAIL",
        "FATAL: disallowed",
    ),
    ("A-03", "simulated", changed("A-03", inside=said("2001\n")), "FAIL", "ran as 2001"),
    (
        "A-03",
        "simulated",
        changed("A-03", build=said(code=255, stderr="FATAL: newuidmap was not found")),
        "FAIL",
        "newuidmap",
    ),
    (
        "A-03",
        "simulated",
        changed("A-03", build=said(stderr="INFO: User not listed in /etc/subuid, trying root-mapped")),
        "FAIL",
        "one id alone",
    ),
    (
        "A-05",
        "simulated",
        changed("A-05", build=said(code=255, stderr="FATAL: pinging container registry: dial tcp: i/o timeout")),
        "FAIL",
        "i/o timeout",
    ),
    ("D-03", "nvidia", changed("D-03", stdout="", stderr='could not select device driver ""'), "FAIL", "device driver"),
    (
        "D-04",
        "nvidia",
        changed("D-04", after=said(code=255, stdout="Failed to initialize NVML: Unknown Error")),
        "FAIL",
        "Unknown Error",
    ),
    (
        "D-04",
        "nvidia",
        changed("D-04", before=said(code=1), started=said(code=125, stderr="no image")),
        "ERROR",
        "no image",
    ),
    ("B-01", "nvidia", changed("B-01", compiler="/usr/local/cuda/bin/nvcc"), "FAIL", "nvcc"),
    ("B-01", "nvidia", changed("B-01", ran=said("sum=0\n")), "FAIL", "sum=0"),
    ("B-01", "nvidia", changed("B-01", sizes=["8", "7"]), "FAIL", "smaller"),
    (
        "B-02",
        "nvidia",
        changed("B-02", versions=[["2.9.0a0", "13.0", "/x"], ["2.9.0", "12.8", "/y"]]),
        "FAIL",
        "torch 2.9.0 ",
    ),
    ("B-02", "nvidia", changed("B-02", versions=[]), "ERROR", "nothing"),
    (
        "B-03",
        "nvidia",
        changed("B-03", **{"import": said(code=1, stderr="permission denied")}),
        "FAIL",
        "permission denied",
    ),
    (
        "X-01",
        "cpu",
        said(code=1, stderr="nvidia-container-cli: initialization error: driver not loaded"),
        "FAIL",
        "driver not loaded",
    ),
    ("X-02", "amd", changed("X-02", kfd=[]), "FAIL", "kfd does not open"),
    ("X-03", "neuron", changed("X-03", openable=[]), "FAIL", "0 of 8"),
    (
        "L-02",
        "simulated",
        changed("L-02", killed={"started": True, "left": ["pyxis_7.3"], "seconds": 60}),
        "FAIL",
        "killed: pyxis_7.3",
    ),
    ("L-02", "simulated", changed("L-02", asked={"started": False, "said": "srun: error"}), "ERROR", "srun: error"),
    ("L-03", "simulated", changed("L-03", second={"ab": [3, 4]}), "FAIL", "1 layers written again"),
    ("L-03", "simulated", changed("L-03", first={}), "FAIL", "no layer"),
    ("L-03", "simulated", changed("L-03", codes=[0, 1], said="429"), "ERROR", "429"),
]
NVBANDWIDTH, DIAG = json.dumps(BANDWIDTH), json.dumps(DCGM)
