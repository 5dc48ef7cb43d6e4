"""The host step over ssh: programs that behave like ssh and systemd, without Slurm on any host."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import threading
import time
from pathlib import Path

import pytest

from tests.unit.validate.test_schema import faults
from validate import catalogue, command, direct, results, session, settings, stored
from validate.errors import CannotStart
from validate.model import FAIL, NO_RESULT

# Runs what it is given here, but for the host that is down.
SSH = """#!/bin/sh
while [ "$1" != -- ]; do host=$1; shift; done; shift
case "$host" in hung*) exec sleep 600;; esac
case "$host" in dead*) echo "ssh: connect to host $host port 22: No route to host" >&2; exit 255;; esac
HOST=$host exec sh -c "$*"
"""
SYSTEMCTL = """#!/bin/sh
shift
for unit in "$@"; do
    case "$unit $HOST" in
    --*) continue;;
    "munge.service "* | "slurmd.service gpu1") set -- loaded active enabled;;
    "slurmd.service gpu"* | "slurmctld.service head") set -- loaded failed enabled;;
    *) set -- not-found inactive "";;
    esac
    printf 'Id=%s\\nLoadState=%s\\nActiveState=%s\\nUnitFileState=%s\\n\\n' "$unit" "$@"
done
"""
JOURNAL = "#!/bin/sh\necho 'slurmd: fatal: Unable to determine this slurmd NodeName'\n"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> settings.Site:
    for name, text in (("ssh", SSH), ("systemctl", SYSTEMCTL), ("journalctl", JOURNAL)):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return settings.Site(("gpu1", "gpu2", "dead1"), ("login1",), {}, {}, ("head",))


def test_it_says_why_slurm_is_down_and_which_host_is_not_reached(site, tmp_path):
    chosen = settings.make({"only": "N-29", "kind": "cpu"})
    document = direct.run(site, chosen, [], lambda _text: None)
    judged = results.judged(document)
    assert judged.nodes == {"gpu1": "PASS", "gpu2": FAIL, "dead1": NO_RESULT}
    found = next(item for item in judged.of("gpu2") if item.check == "N-29")
    assert "slurmd is failed: slurmd: fatal: Unable to determine" in found.observed
    (gone,) = judged.of("dead1")
    assert "No route to host" in gone.observed and gone.fix.startswith("ssh dead1")
    assert any("controller head: slurmctld is failed" in note for note in document["notes"])
    stored.save(results.judged(document), tmp_path / "results.json")
    assert faults(json.loads((tmp_path / "results.json").read_text())) == []


def test_a_login_that_hangs_costs_its_own_row(site, monkeypatch):
    monkeypatch.setattr(session, "FIRST", 3)
    site = dataclasses.replace(site, compute=("hung1", "gpu1"), controller=())
    judged = results.judged(direct.run(site, settings.make({"only": "N-29", "kind": "cpu"}), [], lambda _text: None))
    assert judged.nodes == {"hung1": NO_RESULT, "gpu1": "PASS"}
    assert "hung1 said nothing within 3 s" in judged.of("hung1")[0].observed


def test_who_is_through_is_kept_no_longer(site):
    chosen = settings.make({"only": "N-29", "kind": "cpu"})
    probes = direct.Probes(site, chosen, catalogue.chosen("quick", ("N-29",)), "abcd")
    before = os.listdir("/proc/self/fd")
    said = [probes.probe(name)[-1]["event"] for name in ("gpu1", "dead1")]
    assert said == ["done", "unreached"] and probes.running == []
    assert len(os.listdir("/proc/self/fd")) == len(before)
    probes.stop()
    assert probes.probe("gpu1") == []


def test_an_interrupt_keeps_what_came_and_leaves_no_ssh(site, monkeypatch):
    opened = []
    begin = session.launched
    monkeypatch.setattr(session, "launched", lambda *given: opened.append(begin(*given)) or opened[-1])
    # While it waits for the first host, the second one has answered.
    threading.Timer(5, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
    site = dataclasses.replace(site, compute=("hung1", "gpu1"))
    began = time.monotonic()
    document = direct.run(site, settings.make({"only": "N-29", "kind": "cpu"}), [], lambda _text: None)
    assert time.monotonic() - began < 20 and document["cluster"]["interrupted"]
    judged = results.judged(document)
    assert judged.nodes == {"hung1": NO_RESULT, "gpu1": "PASS"} and judged.exit_code == 2
    assert "the run was stopped" in judged.of("hung1")[0].cause
    assert len(opened) == 2 and all(talk.process.poll() is not None for talk in opened)


def test_what_only_a_job_shows_is_not_asked(site):
    with pytest.raises(CannotStart, match="they need a job"):
        direct.run(site, settings.make({"only": "N-22,C-01"}), [], lambda _text: None)


def test_without_an_inventory_it_is_refused(capsys):
    assert command.main(["run", "--over", "ssh"]) == 3
    assert "needs an inventory" in capsys.readouterr().err
