"""A program for each task of an MPI step: which rank it is, by PMIx itself. Part of the probe.

PMIx's calls and constants are those of its standard 4.1 (pmix_common.h: PMIX_RANK_WILDCARD, PMIX_JOB_SIZE); libpmix is
called by ctypes, so that the image needs neither MPI nor a compiler. Without the library the program can still say
whether Slurm's variables and its server's directory reached the container.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

MARK = "@rank "
PROGRAM = r"""
import ctypes, json, os, socket, sys
found = {"host": os.environ.get("SLURMD_NODENAME") or socket.gethostname(), "task": os.environ.get("SLURM_PROCID"),
         "rank": os.environ.get("PMIX_RANK"), "size": None, "library": False,
         "directory": os.path.isdir(os.environ.get("PMIX_SERVER_TMPDIR") or "/nowhere")}
class Proc(ctypes.Structure):
    _fields_ = [("nspace", ctypes.c_char * 256), ("rank", ctypes.c_uint32)]
try:
    pmix = ctypes.CDLL("libpmix.so.2")
except OSError:
    pmix = None
if pmix:
    found["library"] = True
    own, every, value = Proc(), Proc(), ctypes.c_void_p()
    code = pmix.PMIx_Init(ctypes.byref(own), None, ctypes.c_size_t(0))
    found["code"] = code
    if code == 0:
        found["rank"] = str(own.rank)
        every.nspace, every.rank = own.nspace, 2**32 - 2
        if pmix.PMIx_Get(ctypes.byref(every), b"pmix.job.size", None, ctypes.c_size_t(0), ctypes.byref(value)) == 0:
            found["size"] = ctypes.c_uint32.from_address(value.value + 8).value
        found["fence"] = pmix.PMIx_Fence(None, ctypes.c_size_t(0), None, ctypes.c_size_t(0))
        pmix.PMIx_Finalize(None, ctypes.c_size_t(0))
sys.stdout.write("@rank " + json.dumps(found) + "\n")
sys.stdout.flush()
os._exit(0)
"""
WORDS = ("python3", "-I", "-c", PROGRAM)


def read(stdout: str) -> list[dict[str, Any]]:
    """Return what the tasks said; lines of others are passed over."""
    found = []
    for line in stdout.splitlines():
        _before, mark, text = line.partition(MARK)
        try:
            seen = json.loads(text) if mark else None
        except ValueError:
            continue
        if isinstance(seen, dict):
            found.append(seen)
    return sorted(found, key=lambda seen: (str(seen.get("host")), str(seen.get("task"))))


def fault(seen: Iterable[dict[str, Any]], wanted: Iterable[int], size: int) -> str:
    """Return what is wrong with tasks that should have these ranks of ``size``; '' where nothing is."""
    tasks = list(seen)
    wanted = sorted(wanted)
    if any(task.get("code") not in (None, 0) for task in tasks):
        codes = sorted({str(task["code"]) for task in tasks if task.get("code")})
        return f"PMIx_Init returned {', '.join(codes)}"
    ranks = sorted(int(task["rank"]) for task in tasks if str(task.get("rank") or "").isdigit())
    if ranks != wanted:
        return f"ranks {ranks or 'unknown'} of {len(tasks)} tasks"
    if any(task["size"] != size for task in tasks if task["library"]):
        return f"PMIx counts {sorted({task['size'] for task in tasks}, key=str)} tasks"
    if any(task.get("fence") for task in tasks):
        return f"PMIx_Fence returned {next(task['fence'] for task in tasks if task.get('fence'))}"
    if any(not task["library"] and not task["directory"] for task in tasks):
        return "the directory of Slurm's PMIx server is not in the container"
    return ""
