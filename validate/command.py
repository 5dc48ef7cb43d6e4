"""The command: `python -m validate run|report|baseline|checks`; docs/operate/validate.md."""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import shutil
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from validate import (
    baseline,
    catalogue,
    changes,
    direct,
    history,
    plan,
    results,
    settings,
    stored,
    suite,
    survey,
    tending,
)
from validate.errors import CannotStart
from validate.report import html, junit, lists, prometheus, terminal

OUTPUT = ".validate"
DEFECT = (
    "validate: a defect of this suite ended it, which says nothing of any node; what was measured is in results.json "
    "of the output directory, if it came so far: report it with the text above"
)


class Parser(argparse.ArgumentParser):
    """argparse's own code for a wrong option is the one of a run that did not measure everything."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong; nothing was started."""
        self.print_usage(sys.stderr)
        self.exit(3, f"validate: could not start: {message}\n")


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    top = Parser(prog="python -m validate", description="Accept the nodes of a Slurm cluster, or say why not.")
    verbs = top.add_subparsers(dest="verb", required=True, metavar="COMMAND")
    run = verbs.add_parser("run", help="run the checks on every expected node")
    add_options(run)
    run.add_argument(
        "--over",
        choices=("slurm", "ssh"),
        default="slurm",
        help="ssh: the checks of the nodes alone, where Slurm is down",
    )
    run.add_argument("--dry-run", action="store_true", help="print nodes, commands, time and GPU-hours; run nothing")
    run.add_argument("--drain", action="store_true", help="drain the nodes that fail, few and never over a reason")
    run.add_argument("--resume", action="store_true", help="resume the nodes that --drain drained and that pass now")
    report = verbs.add_parser("report", help="judge stored results again")
    report.add_argument("results", type=Path)
    floors = verbs.add_parser("baseline", help="print floors of your own: what the accepted nodes of runs reached")
    floors.add_argument("results", type=Path, nargs="+")
    run.add_argument("--output", type=Path, default=Path(OUTPUT), help=f"directory of the reports [{OUTPUT}]")
    report.add_argument("--output", type=Path, help="directory of the reports [that of the stored results]")
    verbs.add_parser("checks", help="list every check")
    return top


def add_options(run: argparse.ArgumentParser) -> None:
    """Add what a run may be told; each option replaces the variable validate_<name> of the inventory."""
    run.add_argument(
        "--inventory",
        "-i",
        action="append",
        help="Ansible inventory, several times for several; none: this host submits",
    )
    run.add_argument("--limit", "-l", help="only these nodes, separated by commas, or as Slurm writes them: n[01-03]")
    run.add_argument("--variables", metavar="JSON", help="validate_ variables that count over the inventory's")
    for name, text in (
        ("tier", "quick, standard or deep"), ("image", "image of the container step, best a .sqsh that all nodes see"),
        ("user", "account that submits"), ("partition", "Slurm partition"), ("account", "Slurm account"),
        ("reservation", "Slurm reservation"), ("kind", "profile of all nodes, where their hardware does not say it"),
        ("only", "only these checks, separated by commas"), ("runtimes", "what the site installs, separated by commas"),
        ("allow", "rights of the run: root, operator, network"),
        ("operator", "account that drains and resumes"),
        ("drain-percent", "how many of the nodes a run may drain (%%)"),
        ("immediate", "how long a busy node is waited for (s)"), ("chunk-size", "nodes in one allocation, at most 64"),
    ):  # fmt: skip
        run.add_argument(f"--{name}", dest=f"set_{name.replace('-', '_')}", help=text)


def inputs(arguments: argparse.Namespace) -> tuple[settings.Site | None, settings.Settings]:
    """Return the site and the settings of a command line."""
    site = settings.read_inventory(*arguments.inventory) if arguments.inventory else None
    given = {
        name.removeprefix("set_"): value
        for name, value in vars(arguments).items()
        if name.startswith("set_") and value is not None
    }
    return settings.of_site(site, {**variables(arguments.variables), **given})


def variables(text: str | None) -> dict[str, Any]:
    """Return the settings of ``--variables``."""
    try:
        content = json.loads(text) if text else {}
    except ValueError:
        content = None
    if not isinstance(content, dict) or not all(name.startswith(settings.PREFIX) for name in content):
        raise CannotStart(f"--variables: {text} is no JSON object with names that begin with {settings.PREFIX}")
    return {name.removeprefix(settings.PREFIX): value for name, value in content.items()}


def nodes_of(limit: str | None) -> list[str]:
    """Return the nodes of ``--limit``; one that is given and empty, as out of an empty file, is not "all nodes"."""
    names = [name for name in survey.expand(re.sub(r"[\s,]+", ",", limit or "")) if name]
    if limit is not None and not names:
        raise CannotStart("--limit names no compute node; leave it out for all of them")
    return names


def make_output(output: Path) -> None:
    """Make the directory of the reports and try it, before a run of hours would end there; CannotStart."""
    try:
        output.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=output):
            pass
    except OSError as error:
        raise CannotStart(f"reports cannot be written to {output}: {error.strerror}; name another: --output") from None


def progress_line(stream: Any) -> suite.Progress:
    """Return what shows one line in place, nothing where that is no terminal."""
    if not stream.isatty():
        return lambda _text: None
    width = shutil.get_terminal_size().columns - 1

    def show(text: str) -> None:
        # A terminal that was closed meanwhile takes nothing, and costs nothing of what was measured.
        with contextlib.suppress(OSError):
            stream.write(f"\r{text[:width].ljust(width)}\r")
            stream.flush()

    return show


def run(arguments: argparse.Namespace) -> int:
    """Run, write every report, print the terminal's."""
    site, chosen = inputs(arguments)
    limit = nodes_of(arguments.limit)
    if arguments.over == "ssh":
        if arguments.dry_run:
            raise CannotStart("--over ssh has no dry run: it starts no job")
        if arguments.drain or arguments.resume:
            raise CannotStart("--over ssh neither drains nor resumes: it starts no job, and Slurm is not asked")
        settings.require_reachable(site, (*site.compute, *site.controller) if site else ())
        make_output(arguments.output)
        document = direct.run(site, chosen, limit, progress_line(sys.stderr))
        return finish(judged(document, arguments.output), arguments.output)
    settings.require_reachable(site, site.login if site else ())
    prepared = suite.prepare(suite.target(site, chosen), chosen, limit)
    if arguments.dry_run:
        print(plan.dry_run(prepared.plan, chosen))
        return 0
    make_output(arguments.output)
    progress = progress_line(sys.stderr)
    if arguments.drain or arguments.resume:
        document = tending.run(prepared, arguments.drain, arguments.resume, progress)
    else:
        document = suite.run(prepared, progress)
    return finish(remembering(document, arguments.output), arguments.output, history.save)


def remembering(document: dict[str, Any], output: Path) -> results.Judged:
    """Return a run judged beside the earlier ones of its output directory; to be finished with ``history.save``."""
    accepted = changes.differing(document, history.accepted(output))
    return judged({**document, "history": history.load(output), "accepted": accepted}, output)


def judged(document: dict[str, Any], output: Path) -> results.Judged:
    """Return a run with its verdicts; what was measured is stored before, so that no defect of a judgement costs it."""
    # Where it cannot be written, ``finish`` says so.
    with contextlib.suppress(OSError):
        stored.write(output / "results.json", stored.text(document))
    return results.judged(document)


def finish(
    judged: results.Judged, output: Path, also: Callable[[results.Judged, Path], None] = lambda *_unused: None
) -> int:
    """Store what was judged and write its reports, and what ``also`` writes; returns the exit code."""
    path = output / "results.json"
    try:
        stored.save(judged, path)
    except OSError as error:
        # A full disk is not to cost what was measured.
        try:
            elsewhere = Path(tempfile.mkdtemp(prefix="slipway-validate-")) / path.name
            stored.save(judged, elsewhere)
        except OSError as more:
            print(terminal.render(judged))
            print(
                f"validate: {path} cannot be written: {error.strerror}; nor elsewhere: {more.strerror}; "
                "only the text above is left of this run",
                file=sys.stderr,
            )
            return 3
        print(f"validate: {path} cannot be written: {error.strerror}; all is in {elsewhere.parent}", file=sys.stderr)
        path, output = elsewhere, elsewhere.parent
    again = f"{path} is whole: python -m validate report {path} --output {output}"
    try:
        text = terminal.render(judged)
        try:
            write_reports(judged, output)
            also(judged, output)
        except OSError:
            print(text)
            raise
        # Last, because what reads it may be gone.
        print(text)
        print(f"report: {output / 'report.html'}")
    except KeyboardInterrupt:
        print(f"validate: interrupted while the reports were written; {again}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"validate: a report cannot be written: {error}; {again}", file=sys.stderr)
        return 3
    return judged.exit_code


def report(path: Path, output: Path | None) -> int:
    """Judge stored results again, and write their reports beside them where no other place is named."""
    document = stored.read(path)
    there = (output or path.parent) / "results.json"
    if not output and there.exists() and stored.read(there)["run"] != document["run"]:
        raise CannotStart(f"{there} is of another run and would be replaced: name a directory of its own: --output")
    make_output(there.parent)
    return finish(results.judged(document), there.parent)


def write_reports(judged: results.Judged, output: Path) -> None:
    """Write the reports."""
    stored.write(output / "junit.xml", junit.render(judged))
    stored.write(output / "report.html", html.render(judged))
    stored.write(output / "validate.prom", prometheus.render(judged))
    for name, text in lists.render(judged).items():
        stored.write(output / name, text)


def checks() -> int:
    """Print the catalogue."""
    for check, entry in catalogue.load().items():
        print(f"{check:6} {entry.check.tier:9} {entry.check.step:10} {entry.check.title}")
    return 0


def main(words: Sequence[str] | None = None) -> int:
    """Return 0 all accepted, 1 a node failed, 2 something was not measured, 3 could not start."""
    arguments = parser().parse_args(words)
    # A run that is told to end reports what it has, like one that is interrupted; in a background shell both are off.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # Under nohup it is to survive a logout.
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler)
    try:
        if arguments.verb == "run":
            return run(arguments)
        if arguments.verb == "report":
            return report(arguments.results, arguments.output)
        if arguments.verb == "baseline":
            print(baseline.render([results.judged(stored.read(path)) for path in arguments.results]), end="")
            return 0
        return checks()
    except (CannotStart, ValueError, OSError) as error:
        print(f"validate: could not start: {error}", file=sys.stderr)
        return 3
    except KeyboardInterrupt:
        print("validate: interrupted, and nothing was stored; no job is left", file=sys.stderr)
        return 3
    except Exception:  # noqa: BLE001 - Python would end with 1, which says that a node failed
        traceback.print_exc()
        print(DEFECT, file=sys.stderr)
        return 3
