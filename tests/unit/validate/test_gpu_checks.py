"""What nvidia-smi and the kernel say of broken GPUs, and what is observed of them.

No GPU was at hand: the texts are those of NVIDIA's documentation, its Xid catalogue and reports of users.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.validate.test_checks import every, judge, said
from validate.checks import n_17_fabric, n_19_memory
from validate.model import ERROR, FAIL, PASS, SKIP
from validate.probing import Node


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
        ("N-20", every("[Unknown Error]", "[Unknown Error]"), FAIL, "cannot read GPU 0"),
        ("N-20", every("[N/A]", "[N/A]"), SKIP, "no PCIe link"),
        ("N-20", every("16", "16", count=7) + "7, [N/A], 16\n", ERROR, "GPU 7"),
        ("N-20", every("16", "16", count=7), ERROR, "7 GPUs"),
        ("N-23", every("[N/A]"), SKIP, "does not tell"),
        ("N-23", every("4", count=7) + "7, [N/A]\n", ERROR, "another form"),
        ("N-23", every("4", count=7), ERROR, "7 GPUs"),
    ],
)
def test_what_is_not_said_of_a_gpu_is_no_good_news(check, text, status, words):
    finding = judge(check, said(text), "nvidia")
    assert finding.status == status and words in f"{finding.observed} {finding.cause}"


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
