"""The command line: what is typed wrong ends in words and 3, before anything is run and nothing else."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from validate import command, plan, results, session, settings, stored, suite
from validate.command import main
from validate.errors import CannotStart


def store(document: dict[str, Any], path: Path, run: str = "0123abcd") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    stored.save(results.judged({**document, "run": run}), path)
    return path


@pytest.mark.parametrize("verb", [[], ["run"], ["report"], ["baseline"], ["checks"]])
def test_every_verb_explains_itself(verb, capsys):
    with pytest.raises(SystemExit) as ended:
        command.main([*verb, "--help"])
    assert ended.value.code == 0 and "usage: " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["run", "--tire", "deep"], "unrecognized arguments: --tire"),
        ([], "required"),
        (["run", "--over", "telnet"], "invalid choice"),
    ],
)
def test_a_wrong_option_is_not_the_code_of_a_run_that_missed_something(words, said, capsys):
    with pytest.raises(SystemExit) as caught:
        main(words)
    text = capsys.readouterr().err
    assert caught.value.code == 3 and "validate: could not start: " in text and said in text


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--limit", ""], "--limit names no compute node"),
        (["--limit", " , "], "--limit names no compute node"),
        (["--over", "ssh", "--drain"], "neither drains nor resumes"),
        (["--over", "ssh", "--resume"], "neither drains nor resumes"),
        (["--inventory", "/nonexistent/lab"], "no such inventory: /nonexistent/lab"),
        (["--variables", "tier=deep"], "is no JSON object"),
        (["--variables", '{"tier": "deep"}'], "names that begin with validate_"),
        (["--variables", '{"validate_teir": "deep"}'], "validate_teir is no setting"),
        (["--allow", "rot"], "validate_allow: rot"),
    ],
)
def test_what_is_typed_wrong_starts_nothing(words, said, capsys):
    assert main(["run", *words]) == 3
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (None, []),
        ("n1", ["n1"]),
        ("n1, n2\n", ["n1", "n2"]),
        ("n[08-10],x", ["n08", "n09", "n10", "x"]),
        ("n[1, 3] x", ["n1", "n3", "x"]),
    ],
)
def test_a_limit_is_a_list_as_people_and_slurm_write_them(text, names):
    assert command.nodes_of(text) == names


def test_an_option_counts_over_variables_and_both_over_the_inventory(monkeypatch):
    site = settings.Site(("n1",), ("l1",), {"tier": "quick", "kind": "cpu", "image": "{{ x }}"}, {})
    monkeypatch.setattr(settings, "read_inventory", lambda *_paths: site)
    more = {"validate_image": "/x.sqsh", "validate_tier": "deep", "validate_kind": "amd"}
    words = ["run", "-i", "x", "--variables", json.dumps(more), "--tier", "standard"]
    found = command.inputs(command.parser().parse_args(words))[1]
    assert (found.image, found.tier, found.kind) == ("/x.sqsh", "standard", "amd")


@pytest.mark.parametrize("problem", ["a file", "below a file"])
def test_a_run_whose_reports_cannot_be_written_does_not_begin(problem, tmp_path, monkeypatch, capsys):
    (tmp_path / "file").touch()
    output = tmp_path / "file" if problem == "a file" else tmp_path / "file/out"
    where = suite.Target((session.Submit("here"),), None, session.Submit("here"))
    prepared = suite.Prepared(settings.Settings(), where, {}, [], {}, plan.make([], {}, settings.Settings()))
    monkeypatch.setattr(suite, "prepare", lambda *_unused: prepared)
    monkeypatch.setattr(suite, "run", lambda *_unused: pytest.fail("it began"))
    assert main(["run", "--output", str(output)]) == 3
    assert f"reports cannot be written to {output}" in capsys.readouterr().err


def test_what_was_measured_is_kept_elsewhere_where_the_disk_is_full(document, tmp_path, monkeypatch, capsys):
    save = stored.save

    def full(judged: results.Judged, path: Path) -> None:
        if path.parent == tmp_path / "out":
            raise OSError(28, "No space left on device")
        save(judged, path)

    monkeypatch.setattr(stored, "save", full)
    monkeypatch.setattr(command.tempfile, "mkdtemp", lambda prefix: str(tmp_path))
    assert command.finish(results.judged(document), tmp_path / "out") == 0
    assert "No space left on device" in capsys.readouterr().err
    assert stored.read(tmp_path / "results.json")["run"] == document["run"]


def test_where_every_disk_is_full_the_verdicts_are_said_all_the_same(document, tmp_path, monkeypatch, capsys):
    def full(*_unused: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(stored, "save", full)
        assert command.finish(results.judged(document), tmp_path / "out") == 3
    said = capsys.readouterr()
    assert "gpu001" in said.out and "nor elsewhere: No space left on device" in said.err
    with monkeypatch.context() as patch:
        patch.setattr(command, "write_reports", full)
        assert command.finish(results.judged(document), tmp_path / "out") == 3
    said = capsys.readouterr()
    assert "gpu001" in said.out and "a report cannot be written" in said.err
    assert stored.read(tmp_path / "out/results.json")["run"] == document["run"]


def test_who_reads_the_verdicts_may_be_gone_and_every_file_is_written(document, tmp_path, monkeypatch):
    def gone(_judged: Any) -> str:
        raise BrokenPipeError(32, "Broken pipe")

    kept: list[Path] = []
    monkeypatch.setattr("builtins.print", lambda *said, file=None: None if file else gone(said))
    assert command.finish(results.judged(document), tmp_path, lambda _judged, place: kept.append(place)) == 3
    assert kept == [tmp_path] and (tmp_path / "failing_nodes.txt").exists()


def test_a_terminal_that_is_closed_costs_no_run():
    class Closed(io.StringIO):
        def isatty(self) -> bool:
            return True

        def flush(self) -> None:
            raise OSError(5, "Input/output error")

    command.progress_line(Closed())("3 nodes")


@pytest.mark.parametrize(("before", "after"), [(signal.SIG_IGN, signal.SIG_IGN), (signal.SIG_DFL, "interrupts")])
def test_under_nohup_a_run_outlives_the_login(before, after, capsys):
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    kept = [signal.getsignal(number) for number in numbers]
    try:
        signal.signal(signal.SIGHUP, before)
        assert main(["checks"]) == 0 and capsys.readouterr().out
        found = signal.getsignal(signal.SIGHUP)
        assert ("interrupts" if found is signal.default_int_handler else found) == after
        assert signal.getsignal(signal.SIGTERM) is signal.default_int_handler
    finally:
        for number, handler in zip(numbers, kept, strict=True):
            signal.signal(number, handler)


def test_a_python_without_what_the_suite_needs_is_not_the_code_of_a_node_that_failed():
    code = "import runpy, sys; sys.modules['yaml'] = None; runpy.run_module('validate', run_name='__main__')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 3 and "could not start: " in done.stderr and "yaml" in done.stderr


def test_files_of_two_runs_are_whole_and_for_everybody(tmp_path):
    """Other accounts read them (Prometheus's), and two runs may have one output directory."""
    path, texts = tmp_path / "validate.prom", [letter * 2_000_000 for letter in "abcd"]
    mask = os.umask(0o022)
    try:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda text: stored.write(path, text), texts * 5))
    finally:
        os.umask(mask)
    assert path.read_text() in texts and path.stat().st_mode & 0o777 == 0o644
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("ends", [KeyboardInterrupt, OSError(28, "No space left on device")])
def test_a_file_that_is_not_written_to_its_end_leaves_the_old_one(tmp_path, monkeypatch, ends):
    path = tmp_path / "results.json"
    path.write_text("old")

    def part(self: Path, *_unused: Any, **_named: Any) -> None:
        self.touch()
        raise ends

    monkeypatch.setattr(Path, "write_text", part)
    with pytest.raises((KeyboardInterrupt, OSError)):
        stored.write(path, "new")
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_a_report_is_written_beside_its_results_and_over_no_other_run(document, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    last = store(document, tmp_path / ".validate/results.json", "00000001")
    old = store(document, tmp_path / ".validate/old.json")
    assert main(["report", str(old)]) == 3
    assert "of another run" in capsys.readouterr().err and stored.read(last)["run"] == "00000001"
    assert main(["report", str(last)]) == 0
    assert main(["report", str(store(document, tmp_path / "kept/old.json"))]) == 0
    assert stored.read(tmp_path / "kept/results.json")["run"] == "0123abcd"
    assert stored.read(last)["run"] == "00000001"
    assert main(["report", str(old), "--output", str(tmp_path / "out")]) == 0


def test_an_error_of_the_system_is_told_in_words(monkeypatch, capsys):
    def missing(*_unused: Any) -> None:
        raise FileNotFoundError(2, "No such file or directory", "ssh")

    monkeypatch.setattr(suite, "prepare", missing)
    assert main(["run"]) == 3
    assert "could not start: [Errno 2] No such file or directory: 'ssh'" in capsys.readouterr().err
    with pytest.raises(CannotStart):
        command.make_output(Path("/dev/null/x"))


def test_a_defect_of_the_judgement_costs_nothing_that_was_measured(document, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(command, "inputs", lambda _arguments: (None, None))
    monkeypatch.setattr(command.settings, "require_reachable", lambda *_words: None)
    monkeypatch.setattr(command.direct, "run", lambda *_words: document)
    monkeypatch.setattr(command.results, "judged", lambda _document: 1 / 0)
    assert command.main(["run", "--over", "ssh", "--output", str(tmp_path)]) == 3
    assert "says nothing of any node" in capsys.readouterr().err
    assert stored.read(tmp_path / "results.json")["hosts"] == document["hosts"]
