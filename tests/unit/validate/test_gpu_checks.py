"""What nvidia-smi and the kernel say of broken GPUs, and what is observed of them.

No GPU was at hand: the texts are those of NVIDIA's documentation, its Xid catalogue and reports of users.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.faults import good_results
from tests.unit.validate.test_checks import EIGHT, MISMATCH, every, judge, said
from validate import results
from validate.checks import n_17_fabric, n_18_xid, n_19_memory
from validate.model import BLOCKED, ERROR, FAIL, PASS, SKIP, WARN
from validate.probing import Node

UUIDS = [line.split(", ")[1] for line in EIGHT.splitlines()]
MIXED = EIGHT.replace("H100 80GB HBM3", "H100 PCIe", 1)


@pytest.mark.parametrize(
    ("text", "code", "cause", "fix"),
    [
        (MISMATCH.strip(), 18, "the module not reloaded", "rmmod"),
        ("NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.", 9, "not loaded", "modprobe"),
        ("Unable to determine the device handle for GPU 0000:0B:00.0: Unknown Error", 255, "Xid 79", "off and on"),
        ("No devices were found", 6, "could not start any GPU", "nvrm"),
        ("NVIDIA-SMI couldn't find libnvidia-ml.so library in your system.", 12, "libnvidia-ml", "ldconfig"),
        ("Failed to initialize NVML: Insufficient Permissions", 4, "closed to users", "/dev/nvidiactl"),
        ("Segmentation fault", -11, "nvidia-smi fails", "dmesg"),
    ],
)
def test_what_nvidia_smi_says_has_its_own_cause(text, code, cause, fix):
    finding = judge("N-04", said(text, code=code, seconds=0.1, found=True), "nvidia")
    assert finding.status == FAIL and text in finding.observed and cause in finding.cause and fix in finding.fix


WARNING = "WARNING: infoROM is corrupted at gpu 0000:9B:00.0\n"


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        (EIGHT + WARNING, 14, "infoROM is corrupted at gpu 0000:9B:00.0"),
        (WARNING + EIGHT, 0, "infoROM is corrupted at gpu 0000:9B:00.0"),
        (EIGHT, 14, "exit code 14"),
        # What is worse comes first.
        (EIGHT.partition("\n")[2] + WARNING, 14, "7 GPUs"),
    ],
)
def test_a_corrupted_inforom_is_named(text, code, words):
    finding = judge("N-04", said(text, code=code, seconds=0.1), "nvidia")
    assert finding.status == FAIL and words in finding.observed


@pytest.mark.parametrize(
    ("check", "row"), [("N-16", ["Enabled"]), ("N-19", ["0", "No", "No"]), ("N-20", ["16", "16"]), ("N-23", ["4"])]
)
def test_the_warning_of_one_gpu_leaves_the_others_to_be_judged(check, row):
    assert judge(check, said(every(*row) + WARNING, code=14), "nvidia").status == PASS


def test_a_node_without_nvidia_smi_is_told_what_to_install():
    missing = said(code=127, stderr="nvidia-smi: No such file or directory", seconds=0.0, found=False)
    finding = judge("N-04", missing, "nvidia")
    assert finding.status == FAIL and "not installed" in finding.cause and "nvidia-utils" in finding.fix


@pytest.mark.parametrize(
    ("text", "status", "words"),
    [
        (EIGHT.partition("\n")[2], FAIL, "lists 7 of the 8 GPUs"),
        (EIGHT.replace(UUIDS[1], UUIDS[0]), FAIL, f"{UUIDS[0]} twice"),
        (EIGHT.replace(UUIDS[1], "[GPU is lost]"), FAIL, "cannot read GPU 1: it fell off the bus"),
        # Where all nodes have two models, they are meant to.
        (MIXED, PASS, "7 of NVIDIA H100 80GB HBM3, 1 of NVIDIA H100 PCIe"),
    ],
)
def test_the_list_of_gpus_is_judged(text, status, words):
    seen = said(text, seconds=1.0)
    finding = judge("N-04", seen, "nvidia", fleet={f"gpu00{number}": seen for number in range(3)})
    assert finding.status == status and words in f"{finding.observed} {finding.cause}"


def test_an_odd_model_is_seen_beside_the_other_nodes():
    fleet = {name: said(text, seconds=1.0) for name, text in (("a", EIGHT), ("b", EIGHT), ("gpu001", MIXED))}
    finding = judge("N-04", fleet["gpu001"], "nvidia", fleet=fleet)
    assert finding.status == WARN and "other models" in finding.cause and "8 of NVIDIA" in finding.expected
    assert judge("N-04", fleet["a"], "nvidia", fleet=fleet).status == PASS


@pytest.mark.parametrize(
    ("check", "text", "status", "words"),
    [
        ("N-16", "0, Enabled\n", ERROR, "1 GPUs"),
        ("N-16", every("Enabled", count=7) + "7, [Unknown Error]\n", FAIL, "cannot read GPU 7"),
        ("N-16", every("[N/A]"), ERROR, "another form"),
        ("N-19", "0, 0, No, No\n", ERROR, "1 GPUs"),
        ("N-19", every("0", "0", "0"), PASS, "8 GPUs"),
        ("N-19", every("0", "1", "0"), FAIL, "pending 1"),
        ("N-19", every("maybe", "No", "No"), ERROR, "maybe"),
        ("N-19", every(*["[GPU requires reset]"] * 3), FAIL, "cannot read GPU 0"),
        ("N-19", every("0", "No", "No", count=7) + "7, [N/A], No, No\n", WARN, "ECC is off on some GPUs"),
        ("N-19", every("0", "No", "No", count=6) + "6, [N/A], No, No\n", ERROR, "7 GPUs"),
        ("N-19", every(*["[N/A]"] * 3), PASS, "8 GPUs"),
        ("N-20", every("[Unknown Error]", "[Unknown Error]"), FAIL, "cannot read GPU 0"),
        ("N-20", every("[N/A]", "[N/A]"), SKIP, "no PCIe link"),
        ("N-20", every("16", "16", count=7) + "7, [N/A], 16\n", ERROR, "GPU 7"),
        ("N-20", every("16", "16", count=7), ERROR, "7 GPUs"),
        ("N-23", every("[N/A]"), SKIP, "does not tell"),
        ("N-23", every("4", count=7) + "7, [N/A]\n", ERROR, "another form"),
        ("N-23", every("4", count=7), ERROR, "7 GPUs"),
        ("N-23", every("4", count=7) + "7, [Insufficient Permissions]\n", PASS, "all free but GPU 7, in MIG mode"),
        ("N-23", every("4", count=6) + "6, 9000\n7, [Insufficient Permissions]\n", FAIL, "GPU 6: 9000 MiB"),
        ("N-23", every("[Insufficient Permissions]"), SKIP, "does not tell"),
        ("N-23", every("4", count=6) + "7, [Insufficient Permissions]\n", ERROR, "7 GPUs"),
    ],
)
def test_what_is_not_said_of_a_gpu_is_no_good_news(check, text, status, words):
    finding = judge(check, said(text), "nvidia")
    assert finding.status == status and words in f"{finding.observed} {finding.cause}"


def test_one_unreadable_gpu_is_one_failure_and_hides_no_other():
    document = good_results.nvidia()
    unread = every("[Unknown Error]", count=1) + every("0").partition("\n")[2]
    records = document["hosts"]["gpu003"]["checks"]
    for check, text in (("N-16", unread.replace(" 0\n", " Enabled\n")), ("N-23", unread), ("N-20", every("8", "16"))):
        records[check]["observed"] = said(text)
    cells = {cell.check: (cell.status, cell.by) for cell in results.judged(document).of("gpu003")}
    assert cells["N-16"] == cells["N-20"] == (FAIL, "") and cells["N-23"] == (BLOCKED, "N-16")


def test_the_fabric_of_some_gpus_says_nothing_of_the_others():
    five = said("x", fabric=[["Completed", "Success"]] * 5)
    assert judge("N-17", {**five, "whole": True}, "nvidia").status == ERROR
    assert judge("N-17", five, "nvidia").status == PASS
    broken = said("x", fabric=[["Completed", "Success"]] * 7 + [["[Unknown Error]", "N/A"]], whole=True)
    assert "cannot read GPU 7" in judge("N-17", broken, "nvidia").cause


def program(tmp_path: Any, monkeypatch: Any, text: str) -> Node:
    """Put a program in the place of nvidia-smi."""
    (tmp_path / "nvidia-smi").write_text(f"#!/bin/bash\n{text}", encoding="utf-8")
    (tmp_path / "nvidia-smi").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return Node()


def test_the_fabric_of_all_gpus_is_read_though_the_text_is_long(tmp_path, monkeypatch):
    section = "".join(
        f"{text}\n" for text in ("    Fabric", "        State    : Completed", "        Status   : Success")
    )
    gpu = "GPU 00000000:9B:00.0\n" + "    Something                             : N/A\n" * 400 + section
    (tmp_path / "text").write_text(gpu * 8, encoding="utf-8")
    observed = n_17_fabric.observe(program(tmp_path, monkeypatch, f"cat {tmp_path}/text"))
    assert observed["fabric"] == [["Completed", "Success"]] * 8 and judge("N-17", observed, "nvidia").status == PASS
    warned = n_17_fabric.observe(program(tmp_path, monkeypatch, f"cat {tmp_path}/text; exit 14"))
    assert judge("N-17", warned, "nvidia").status == PASS
    failing = n_17_fabric.observe(program(tmp_path, monkeypatch, "echo No devices were found; exit 6"))
    assert failing["code"] == 6 and judge("N-17", failing, "nvidia").observed == "No devices were found"


OLDER = """
case $1 in
  *index,ecc*) echo 'Field "remapped_rows.pending" is not a valid field to query.'; exit 2;;
  *index,uuid*) printf '0, GPU-a, 0\\n1, GPU-b, 2\\n';;
  *) printf 'GPU-b, 1, 0\\n';;
esac
"""


def test_an_older_nvidia_smi_is_asked_for_the_remapped_rows_alone(tmp_path, monkeypatch):
    observed = n_19_memory.observe(program(tmp_path, monkeypatch, OLDER))
    assert observed["stdout"] == "0, 0, N/A, N/A\n1, 2, 1, 0\n"
    finding = judge("N-19", observed, "nvidia", gpus=2)
    assert finding.status == FAIL and finding.observed == "GPU 1: 2 uncorrected, pending 1, failure 0"


XID = "Nov 29 02:00:00 gpu001 kernel: NVRM: Xid (PCI:0000:9b:00"
RECOVERY = "): 154, GPU recovery action changed from"


@pytest.mark.parametrize(
    ("text", "status", "words"),
    [
        (f"{XID} GPU-I:05): 94, pid=7194, Contained: CE User Channel (0x9). RST: No\n", FAIL, "GPU-I:05"),
        (f"{XID}): 46, pid=1, GPU stopped processing\n", FAIL, "--gpu-reset -i 0000:9b:00.0"),
        (f"{XID}): 109, pid=1, name=python, Ch 00000008, errorString CTX SWITCH TIMEOUT\n", FAIL, "Xid 109"),
        (f"{XID}): 145, RLW_REMAP Nonfatal XC0 i0 Link 02 (0x00000004 0x00000001)\n", PASS, "1 others"),
        (f"{XID}): 149, NETIR_LINK_EVT Fatal XC0 i0 Link 00 (0x025001c6 0x00000000)\n", FAIL, "nvlink -e"),
        (f"{XID}{RECOVERY} 0x0 (None) to 0x2 (Node Reboot Required)\n", FAIL, "reboot the node"),
        (f"{XID}{RECOVERY} 0x0 (None) to 0x1 (GPU Reset Required)\n", FAIL, "--gpu-reset"),
        (
            f"{XID}{RECOVERY} 0x0 (None) to 0x1 (GPU Reset Required)\n{XID}{RECOVERY} 0x1 (x) to 0x0 (None)\n",
            PASS,
            "none",
        ),
        ("nvidia-nvswitch3: SXid (PCI:0000:c1:00.0): 24007, Fatal, Link 27 sourcetrack timeout\n", FAIL, "SXid 24007"),
        ("nvidia-nvswitch3: SXid (PCI:0000:c1:00.0): 28006, Non-fatal, Link 46 MC TS crumbstore\n", PASS, "none"),
    ],
)
def test_an_xid_has_its_remedy(text, status, words):
    finding = judge("N-18", said(text), "nvidia")
    assert finding.status == status and words in f"{finding.observed} {finding.fix}"


@pytest.mark.parametrize(
    "text",
    [
        "No journal files were opened due to insufficient permissions.\n",
        "Hint: You are currently not seeing messages from other users and the system.\n      Users in groups 'adm' …\n",
        "No journal files were found.\n",
    ],
)
def test_a_journal_that_is_closed_is_not_taken_for_one_without_an_xid(text):
    finding = judge("N-18", said("-- No entries --\n", code=1, stderr=text), "nvidia")
    assert finding.status == ERROR and finding.observed == text.splitlines()[0] and "may not read" in finding.cause
    assert judge("N-18", said("-- No entries --\n", code=1), "nvidia").status == PASS


def journal(tmp_path: Any, monkeypatch: Any, text: str) -> Any:
    """Return what N-18 observes of a kernel that said this, oldest first."""
    (tmp_path / "text").write_text(text, encoding="utf-8")
    reads = f'case "$*" in *--reverse*) tac {tmp_path}/text;; *) cat {tmp_path}/text;; esac'
    for name, body in (("sudo", "exit 1"), ("journalctl", reads)):
        (tmp_path / name).write_text(f"#!/bin/bash\n{body}\n", encoding="utf-8")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return n_18_xid.observe(Node())


# More than is kept of a command.
FLOOD = "".join(f"{XID}): 69, pid={number}, Class Error\n" for number in range(1500))
SWITCH = "kernel: nvidia-nvswitch3: SXid (PCI:0000:c1:00.0): 24007, Fatal, Link 27 sourcetrack timeout"


def test_a_crash_of_a_program_does_not_hide_a_fault(tmp_path, monkeypatch):
    assert len(FLOOD) > 60_000
    observed = journal(tmp_path, monkeypatch, f"{FLOOD}{XID}): 79, pid=1, GPU has fallen off the bus.\n")
    assert "Xid 79" in judge("N-18", observed, "nvidia").observed
    assert [line.split("): ")[1][:2] for line in observed["stdout"].splitlines()] == ["69", "79"]
    earlier = journal(tmp_path, monkeypatch, f"{XID}): 79, pid=1, GPU has fallen off the bus.\n{FLOOD}")
    assert "Xid 79" in judge("N-18", earlier, "nvidia").observed


def test_a_fault_that_a_switch_repeats_is_kept_once(tmp_path, monkeypatch):
    repeated = "".join(f"Nov 29 02:{number // 60:02}:{number % 60:02} {SWITCH}\n" for number in range(600))
    observed = journal(tmp_path, monkeypatch, f"{XID}): 79, pid=1, GPU has fallen off the bus.\n{repeated}")
    assert judge("N-18", observed, "nvidia").observed.count("SXid 24007") == 1
    assert "Xid 79" in judge("N-18", observed, "nvidia").observed


@pytest.mark.parametrize(("last", "status"), [("None", PASS), ("Node Reboot Required", FAIL)])
def test_of_what_the_driver_asks_for_the_last_counts(tmp_path, monkeypatch, last, status):
    lines = [f"{XID}{RECOVERY} 0x0 (None) to 0x1 (GPU Reset Required)\n", f"{XID}{RECOVERY} 0x1 (x) to 0x2 ({last})\n"]
    observed = journal(tmp_path, monkeypatch, lines[0] + FLOOD + lines[1])
    finding = judge("N-18", observed, "nvidia")
    assert finding.status == status and ("reboot the node" in finding.fix) == (status == FAIL)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_clock_that_is_no_time_is_no_observation(value):
    assert judge("N-24", value).status == ERROR


def test_another_driver_is_mended_by_installing_the_usual_one():
    fleet = {name: {"loaded": "550.90.07", "queried": ["550.90.07"], "module": "550.90.07"} for name in "ab"}
    own = {"loaded": "535.183.06", "queried": ["535.183.06"], "module": "535.183.06"}
    finding = judge("N-13", own, "nvidia", fleet={**fleet, "gpu001": own})
    assert finding.status == FAIL and "install 550.90.07" in finding.fix


def test_a_container_is_not_compared_with_what_was_not_observed():
    inside = {"openable": [f"nvidia{number}" for number in range(8)], "uuids": UUIDS}
    assert judge("C-02", inside, "nvidia", others={"N-04": said(EIGHT)}).status == PASS
    for lost in ("N-03", "N-04"):
        finding = judge("C-02", inside, "nvidia", others={"N-04": said(EIGHT), lost: None})
        assert finding.status == ERROR and lost in finding.cause
    # Elsewhere nothing is taken from nvidia-smi.
    assert judge("C-02", {**inside, "uuids": None}, others={"N-04": None}).status == PASS


def test_parts_of_gpus_are_called_so():
    inside = {
        "openable": [f"nvidia{n}" for n in range(8)],
        "uuids": [*UUIDS, "MIG-63feeb45-94c6-5b9d-a0f1-3c4a7d1f6c11"],
    }
    finding = judge("C-02", inside, "nvidia", others={"N-04": said(EIGHT)})
    assert finding.status == FAIL and "MIG mode is on" in finding.cause and "-mig 0" in finding.fix


@pytest.mark.parametrize(
    ("code", "words"),
    [(2, "N-23"), (46, "nvidia-smi -c 0"), (101, "-mig 0"), (214, "N-19"), (803, "different versions")],
)
def test_a_code_of_cuda_has_its_meaning(code, words):
    finding = judge("C-04", [{"failed": "cuInit", "code": code, "name": "CUDA_ERROR"}], "nvidia")
    assert finding.status == FAIL and words in f"{finding.cause} {finding.fix}"


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"NVIDIA_DRIVER_CAPABILITIES": "utility"}, "=utility lacks compute"),
        ({"NVIDIA_DRIVER_CAPABILITIES": ""}, "is not set, which lacks compute"),
        ({"NVIDIA_DRIVER_CAPABILITIES": "compute,utility"}, "is not in the container"),
        ({}, "is not in the container"),
    ],
)
def test_a_container_without_the_drivers_library_is_told_why(variables, words):
    answer = {"said": "OSError: libcuda.so.1: cannot open shared object file: No such file or directory"}
    finding = judge("C-04", [answer], "nvidia", others={"C-02": {"variables": variables}})
    assert finding.status == FAIL and words in finding.cause
