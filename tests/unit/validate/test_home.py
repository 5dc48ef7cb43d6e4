"""What H-11 observes of an account's home on a submit host, and what it says of one that is closed."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from tests.unit.validate.conftest import GOOD
from tests.unit.validate.test_checks import judge, own
from validate.checks import h_11_space
from validate.model import FAIL, PASS, WARN
from validate.probing import Node
from validate.reading import mounts_of

KERBEROS = (
    "7 1 0:5 / / rw - ext4 /dev/vda rw\n"
    "8 7 0:6 / /home rw,relatime - nfs4 nas:/home rw,vers=4.2,proto=tcp,sec=krb5p,clientaddr=10.0.0.7\n"
)


@pytest.fixture
def listing(tmp_path, monkeypatch):
    """Put a program in the place of ls that notes its last word, and takes as long as told for the home."""
    monkeypatch.setattr(h_11_space, "PATIENCE", 0.5)
    monkeypatch.setattr(h_11_space, "HOME_PATIENCE", 2)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    home = h_11_space.pwd.getpwuid(os.getuid()).pw_dir

    def write(seconds: float) -> tuple[str, Path]:
        (tmp_path / "ls").write_text(
            f'#!/bin/sh\nfor last; do :; done\necho "$last" >> {tmp_path}/said\n'
            f'case "$last" in {home}|{home}/*) sleep {seconds};; esac\n'
        )
        (tmp_path / "ls").chmod(0o755)
        return home, tmp_path / "said"

    return write


def test_a_home_that_an_automounter_is_slow_to_mount_is_waited_for_and_asked_for_once(listing):
    home, said = listing(1)
    seen = h_11_space.observe(Node())
    assert seen["own"]["problem"] == "" and home in seen["places"]
    assert [line for line in said.read_text().splitlines() if line.startswith(home)] == [f"{home}/."]


def test_a_home_that_does_not_answer_is_given_up_in_time(listing):
    home, _said = listing(30)
    began = time.monotonic()
    seen = h_11_space.observe(Node())
    assert time.monotonic() - began < 10
    assert seen["own"]["problem"] == "no answer within 2 s" and home not in seen["places"]
    assert judge("H-11", {**GOOD["H-11"], "own": seen["own"]}).cause.startswith("the server of the home directories")


def test_directories_that_all_hang_take_as_long_as_one(tmp_path, monkeypatch):
    monkeypatch.setattr(h_11_space, "PATIENCE", 1)
    monkeypatch.setattr(h_11_space, "HOME_PATIENCE", 1)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    (tmp_path / "ls").write_text("#!/bin/sh\nsleep 30\n")
    (tmp_path / "ls").chmod(0o755)
    began = time.monotonic()
    assert h_11_space.observe(Node())["places"] == {}
    assert time.monotonic() - began < 4


def test_how_a_mount_wants_users_to_prove_who_they_are_is_read():
    assert [mount["security"] for mount in mounts_of(KERBEROS)] == ["", "krb5p"]


@pytest.mark.parametrize(
    ("seen", "status", "cause", "fix"),
    [
        (
            {"problem": "Permission denied", "type": "nfs4", "security": "krb5"},
            WARN,
            "Kerberos ticket",
            "klist; kinit; or",
        ),
        ({"problem": "Permission denied", "type": "afs", "security": ""}, WARN, "Kerberos ticket", "kinit; aklog; or"),
        ({"writable": False, "type": "nfs4", "security": "krb5i"}, WARN, "Kerberos ticket", "validate_user"),
        ({"writable": True, "type": "nfs4", "security": "krb5i"}, PASS, "", ""),
        (
            {"problem": "Permission denied", "type": "nfs4", "security": "sys"},
            FAIL,
            "somebody else",
            "getent passwd member",
        ),
        ({"writable": False}, FAIL, "somebody else", "if it is member's own home: chown member: /home/member;"),
    ],
)
def test_a_closed_home_is_told_from_one_that_needs_a_ticket(seen, status, cause, fix):
    finding = judge("H-11", own(**seen))
    assert finding.status == status and cause in finding.cause and fix in finding.fix


def test_whose_home_it_is_is_asked_before_anything_is_given_to_the_account():
    assert judge("H-11", own(writable=False)).fix.startswith("getent passwd member; namei -l /home/member; if it is")
