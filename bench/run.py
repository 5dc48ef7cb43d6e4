#!/usr/bin/env python3
"""Measure a converge against its floor, on a sandbox of its own: `make bench`.

Bare nodes: playbooks/site.yml, against floor.sh, which does the same by hand and checks nothing.
Nothing to do: playbooks/site.yml once more, against `ansible -m ping` of the same hosts.
`bench/run.py accept`: the acceptance suite on converged nodes, against `srun hostname` and against pytest-testinfra.
`bench/run.py judge` judges and reports stored results of 1,000 nodes, and needs none.
`bench/run.py hook` measures a lifecycle hook on a bare compute node, against floor_node.sh, and on one whose image has
everything.
`bench/run.py bundle` only makes the bundle of a site's lifecycle hooks (BENCH_SITE) and says how large it is.
BENCH_RUNS is the number of measurements of each; the settings of the sandbox (SANDBOX_ARTIFACT_MIRROR …) hold.
BENCH_KEEP=1 leaves the nodes, and takes those that it left. BENCH_SANDBOX is another name than `bench`.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(REPOSITORY / "molecule" / "sandbox"), str(REPOSITORY)]

from cluster import mirror, settings, state  # noqa: E402 -- found through the line above
from cluster.errors import SandboxError  # noqa: E402 -- found through the line above
from cluster.process import Runner  # noqa: E402 -- found through the line above

from bench import acceptance, figures, hook, hook_nodes, judge, side_by_side, usage  # noqa: E402 -- likewise
from bench.errors import BenchError  # noqa: E402 -- likewise

NAME = os.environ.get("BENCH_SANDBOX") or "bench"
KEEP = os.environ.get("BENCH_KEEP") == "1"
PROGRAMS = Path(sys.executable).parent
SANDBOX = REPOSITORY / "molecule" / "sandbox" / "sandbox.py"
INVENTORY = REPOSITORY / "inventories" / "sandbox"
LONGEST = 1800
CONVERGE_GOAL = 1.3
IDLE_GOAL = 5.0
NODELESS = ("judge", "bundle")
CONVERGED = ("bare", "idle", "accept")
PARTS = (*CONVERGED, "hook", *NODELESS)
HELP = "bare, idle [both], accept, hook; judge, bundle (need no nodes)"
# What is compared after both ways: packages, capabilities, and the files that root owns. Users' own come from jobs.
LISTING = (
    "dpkg-query -W -f '${Package} ${Version}\\n';"
    " getcap /usr/bin/enroot-*;"
    " apt-mark showhold;"
    " find /etc/enroot /etc/apptainer /etc/apt /etc/docker /etc/modules-load.d /etc/profile.d /etc/tmpfiles.d"
    " /usr/local/lib/slipway /var/lib/slipway /run/enroot /run/slipway"
    " /scratch/slipway /etc/slurm -user root -printf '%p %M %l\\n' 2>/dev/null || true"
)


@dataclass
class Bench:
    """One benchmark: the sandbox it uses, and what it has seen of the machine."""

    cache: Path
    wanted: settings.Settings
    loads: list[float] = field(default_factory=list)
    tables: list[str] = field(default_factory=list)
    records: dict[str, Any] = field(default_factory=dict)

    def run(self, *command: str | Path) -> str:
        """Run a command of the repository; returns its output, raises BenchError."""
        environment = {
            **os.environ,
            "PATH": f"{PROGRAMS}:{os.environ.get('PATH', '')}",
            "ANSIBLE_CONFIG": str(REPOSITORY / "ansible.cfg"),
            "ANSIBLE_NOCOLOR": "1",
        }
        done = subprocess.run(
            [str(word) for word in command],
            cwd=REPOSITORY,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=LONGEST,
            check=False,
        )
        if done.returncode:
            raise BenchError(f"{' '.join(map(str, command))}: exit code {done.returncode}\n{done.stdout[-4000:]}")
        return done.stdout

    def timed(self, title: str, *command: str | Path) -> tuple[usage.Usage, str]:
        """Run a command; returns what it took and its output."""
        self.loads.append(os.getloadavg()[0])
        nodes = [node.id for node in state.require(self.wanted.state).nodes]
        begin, control, remote = time.monotonic(), usage.of_children(), usage.of_containers(nodes)
        output = self.run(*command)
        took = usage.Usage(time.monotonic() - begin, usage.of_children() - control, usage.of_containers(nodes) - remote)
        print(f"  {took.wall:6.1f}s  {title}  (CPU: {took.control:.1f} s here, {took.nodes:.1f} s nodes)", flush=True)
        return took, output

    def down(self) -> None:
        """Remove the sandbox."""
        self.run(sys.executable, SANDBOX, "down")

    def fresh(self) -> None:
        """Give every measurement bare nodes, and what is to be installed on them; this is not counted."""
        self.down()
        self.run(sys.executable, SANDBOX, "up")
        cluster = state.require(self.wanted.state)
        _sources, variables = mirror.prepare(Runner(), self.wanted, cluster.distribution, os.environ)
        state.save(self.wanted.state, replace(cluster, vars={**cluster.vars, **variables}))
        self.ansible("playbooks/lock.yml", "-e", "artifacts_lock_force=true")

    def settle(self) -> None:
        """Have converged nodes: those that were kept, or bare ones that are converged now; this is not counted."""
        if not KEEP or not (self.wanted.state / "cluster.json").exists():
            self.measure_converge()

    def playbook(self, playbook: str, *arguments: str) -> list[str | Path]:
        """Return the command that runs a playbook. Caches of its own: an earlier build would be taken."""
        caches = json.dumps(
            {"pyxis_build_cache": str(self.cache / "pyxis"), "artifacts_cache": str(self.cache / "artifacts")}
        )
        return [PROGRAMS / "ansible-playbook", "-i", INVENTORY, REPOSITORY / playbook, "-e", caches, *arguments]

    def ansible(self, playbook: str, *arguments: str) -> str:
        """Run a playbook; returns its output."""
        return self.run(*self.playbook(playbook, *arguments))

    def ssh_config(self) -> tuple[Path, list[str]]:
        """Write how ssh reaches the nodes; returns the file, and the nodes' names, the controller first."""
        listing: dict[str, Any] = json.loads(self.run(sys.executable, INVENTORY / "hosts.py"))
        directory = self.wanted.state / "ssh"
        text = (
            f"IdentityFile {directory}/id_ed25519\nUserKnownHostsFile {directory}/known_hosts\n"
            "User root\nIdentitiesOnly yes\nLogLevel ERROR\n"
            f"ControlMaster auto\nControlPersist 60\nControlPath {self.wanted.runtime}/bench-%C\n"
        )
        hosts = listing["_meta"]["hostvars"]
        text += "".join(f"Host {name}\n  HostName {values['ansible_host']}\n" for name, values in hosts.items())
        path = directory / "bench.config"
        path.write_text(text, encoding="utf-8")
        return path, sorted(hosts, key=lambda name: (name not in listing["controller"]["hosts"], name))

    def artifacts(self) -> Path:
        """Return a directory with every file under its own name, as the lock has it."""
        directory = self.cache / "floor"
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir()
        for name in hook_nodes.locked_names(self.wanted.state):
            found = next((self.cache / "artifacts").glob(f"*/{name}"), None)
            if found is None:
                raise BenchError(f"{name} is locked and not in {self.cache}/artifacts")
            shutil.copy2(found, directory / name)
        hook_nodes.write_repository(directory, state.require(self.wanted.state).vars)
        return directory

    def listing(self, node: str, config: Path) -> str:
        """Return what is on a node."""
        return self.run("ssh", "-F", config, node, LISTING)

    def measure_floor(self) -> tuple[usage.Usage, dict[str, str]]:
        """Run the floor script on bare nodes; returns its seconds and what it left on each node."""
        self.fresh()
        config, nodes = self.ssh_config()
        script = REPOSITORY / "bench" / "floor.sh"
        cluster = state.require(self.wanted.state)
        toolkit = cluster.vars.get("nvidia_container_toolkit_state") != "unmanaged"
        gpus = [node.name for node in cluster.nodes if toolkit and node.role == "compute"]
        command: list[str | Path] = ["env", "GPU_NODES=" + " ".join(gpus), script, config, self.artifacts(), *nodes]
        seconds, _output = self.timed("bare nodes: floor.sh", *command)
        return seconds, {node: self.listing(node, config) for node in nodes}

    def measure_converge(self) -> tuple[usage.Usage, dict[str, str]]:
        """Converge bare nodes; returns the seconds and what is on each node afterwards."""
        self.fresh()
        # The plugin is built anew each time; downloads are at hand, as they are for the floor.
        shutil.rmtree(self.cache / "pyxis", ignore_errors=True)
        seconds, _output = self.timed("bare nodes: site.yml", *self.playbook("playbooks/site.yml"))
        config, nodes = self.ssh_config()
        return seconds, {node: self.listing(node, config) for node in nodes}

    def measure_idle(self) -> tuple[usage.Usage, usage.Usage]:
        """Converge nodes that need nothing, and ping them; returns the seconds of both."""
        seconds, output = self.timed("nothing to do: site.yml", *self.playbook("playbooks/site.yml"))
        changed = figures.changes(output)
        if changed:
            raise BenchError(f"a converge with nothing to do changed something on {', '.join(changed)}")
        program = PROGRAMS / "ansible"
        floor, _output = self.timed("nothing to do: ping", program, "-i", INVENTORY, "slurm_cluster", "-m", "ping")
        return seconds, floor

    def measure_acceptance(self, runs: int) -> None:
        """Run the acceptance suite beside `srun hostname`, and its host step beside testinfra."""
        suite = acceptance.Acceptance(self)
        samples, floor = suite.measure(runs)
        self.tables.append(acceptance.table(len(suite.computes), samples, floor))
        self.records["acceptance"] = acceptance.record(len(suite.computes), samples, floor)
        pair = side_by_side.measure(suite)
        self.tables.append(pair.table())
        self.records["testinfra"] = pair.record()


def measure_bundle(site: str) -> str:
    """Make a site's bundle, without the artifacts that its hosts fetch; returns its size as a table."""
    with tempfile.TemporaryDirectory(prefix="slipway-bench-") as directory:
        command = [sys.executable, "-m", "lifecycle.bundle", "--site", site, "--no-artifacts", "--output", directory]
        begin = time.monotonic()
        done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
        if done.returncode:
            raise BenchError(f"{' '.join(command)}: exit code {done.returncode}\n{done.stderr}")
        seconds = time.monotonic() - begin
        (bundle,) = Path(directory).glob("*/slipway-*.tar")
        manifest = json.loads((bundle.parent / "manifest.json").read_text(encoding="utf-8"))
        return f"{hook.size_table(manifest, bundle.stat().st_size)}\nmade in {seconds:.1f} s"


def machine() -> dict[str, object]:
    """Return what the figures depend on."""
    text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    model = re.search(r"^model name\s*:\s*(.*)$", text, re.MULTILINE)
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") >> 30
    return {
        "cores": os.cpu_count() or 1,
        "processor": model.group(1).strip() if model else platform.machine(),
        "memory_gib": memory,
        "kernel": platform.release(),
        "python": platform.python_version(),
    }


def measure(bench: Bench, runs: int, parts: list[str]) -> list[figures.Comparison]:
    """Take all samples; both ways take turns, so that a busy minute hits both."""
    converge: list[tuple[usage.Usage, dict[str, str]]] = []
    floor: list[tuple[usage.Usage, dict[str, str]]] = []
    for _run in range(runs if "bare" in parts else 0):
        floor.append(bench.measure_floor())
        converge.append(bench.measure_converge())
    found = []
    if converge:
        for node, text in converge[-1][1].items():
            for line in figures.differences(text, floor[-1][1][node]):
                print(f"  {node}: {line}")
        hosts = len(converge[-1][1])
        samples = (tuple(item[0] for item in way) for way in (converge, floor))
        found.append(figures.Comparison("bare nodes: site.yml", "bare nodes: floor.sh", CONVERGE_GOAL, hosts, *samples))
    if not converge:
        bench.settle()
    if "idle" in parts:
        idle = [bench.measure_idle() for _run in range(runs)]
        hosts = len(state.require(bench.wanted.state).nodes)
        samples = (tuple(pair[way] for pair in idle) for way in (0, 1))
        found.append(figures.Comparison("nothing to do: site.yml", "nothing to do: ping", IDLE_GOAL, hosts, *samples))
    if "accept" in parts:
        bench.measure_acceptance(runs)
    return found


def arguments() -> argparse.Namespace:
    """Read the command line."""
    top = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    # The empty list is among the choices because argparse checks the default, too (bpo-9625).
    top.add_argument("parts", nargs="*", metavar="PART", choices=[*PARTS, []], help=HELP)
    # Text, so that argparse judges it as it judges the option.
    top.add_argument("--runs", type=int, default=os.environ.get("BENCH_RUNS") or "3", help="[BENCH_RUNS, else 3]")
    return top.parse_args()


def nodeless(parts: list[str], runs: int) -> None:
    """Measure what needs no nodes, and print it."""
    if "bundle" in parts:
        print(measure_bundle(os.environ.get("BENCH_SITE") or str(REPOSITORY / "inventories" / "example")))
    if "judge" in parts:
        with tempfile.TemporaryDirectory(prefix="slipway-bench-") as directory:
            print(judge.measure(Path(directory), runs))


def measure_hook(wanted: settings.Settings, runs: int) -> tuple[hook.Measured, list[float]]:
    """Measure a hook on nodes of its own; what fails there is a BenchError, and told by what it printed last."""
    said, shown = io.StringIO(), sys.stdout
    try:
        # What hooks and the sandbox's driver print at length is for whoever looks for a fault.
        with contextlib.redirect_stdout(said):
            script = REPOSITORY / "bench" / "floor_node.sh"
            return hook_nodes.measure(wanted, script, runs, LISTING, lambda text: print(text, file=shown, flush=True))
    except (AssertionError, hook_nodes.HookFailed) as error:
        raise BenchError(f"{said.getvalue()[-4000:]}\n{error}") from None


def about(wanted: settings.Settings, runs: int) -> dict[str, object]:
    """Return what the figures depend on; versions of stand-ins say what they are."""
    cluster = state.require(wanted.state)
    versions = {key.removesuffix("_version"): value for key, value in cluster.vars.items() if key.endswith("_version")}
    installed = ", ".join(f"{name} {version}" for name, version in sorted(versions.items()))
    return {**machine(), "nodes": len(cluster.nodes), "installed": installed, "runs": runs}


def measure_all(bench: Bench, parts: list[str], runs: int) -> tuple[dict[str, Any], list[str]]:
    """Take the measurements that need nodes; returns what is written, and the tables that are printed."""
    content: dict[str, Any] = {}
    tables = []
    if set(CONVERGED) & set(parts):
        found = measure(bench, runs, parts)
        tables += [*([figures.table(found)] if found else []), *bench.tables]
        content = {"comparisons": [item.figures() for item in found], **bench.records}
    if "hook" in parts:
        measured, loads = measure_hook(bench.wanted, runs)
        bench.loads += loads
        tables.append(measured.table())
        content["hook"] = measured.figures()
    return {"machine": about(bench.wanted, runs), "loads": bench.loads, **content}, tables


def main() -> int:
    """Measure, print, and write .sandbox-bench/bench.json."""
    given = arguments()
    runs = max(1, given.runs)
    try:
        nodeless(given.parts, runs)
        parts = [part for part in given.parts or ["bare", "idle"] if part not in NODELESS]
        if not parts:
            return 0
        os.environ["SANDBOX_NAME"] = NAME
        wanted = settings.from_environment()
        with tempfile.TemporaryDirectory(prefix="slipway-bench-") as directory:
            bench = Bench(Path(directory), wanted)
            try:
                content, tables = measure_all(bench, parts, runs)
            finally:
                if not KEEP:
                    bench.down()
    except (BenchError, SandboxError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    print("\n" + "\n".join(f"{key:<12} {value}" for key, value in content["machine"].items()))
    print("\n" + "\n\n".join(tables))
    warning = figures.busy(bench.loads, os.cpu_count() or 1)
    if warning:
        print(warning)
    wanted.state.mkdir(exist_ok=True)
    path = wanted.state / "bench.json"
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    print(f"written: {path.relative_to(REPOSITORY)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
