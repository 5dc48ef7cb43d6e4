"""Cases E: what a platform's shell hands over, and what kind of machine it is."""

from __future__ import annotations

import hashlib
import http.server
import os
import platform
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from ansible_collections.slipway.containers.plugins.module_utils import files

from lifecycle import bootstrap, fitness, settings
from lifecycle.bootstrap import Refused
from lifecycle.bundle import wheels
from lifecycle.layout import REPOSITORY, located
from lifecycle.node import Node
from tests.unit.lifecycle.conftest import CFNCONFIG

case = pytest.mark.case
START = REPOSITORY / "lifecycle/hooks/start.sh"

# A hook in a process of its own, whose playbook prints what it finds around itself.
PROCESS = """
import os, sys
from lifecycle import playbook, run
from tests.unit.lifecycle.conftest import FakeNode
from pathlib import Path
def show(*_arguments, **_options):
    mask = os.umask(0); os.umask(mask)
    for name in ("HOME", "USER", "LANG", "TERM", "DEBIAN_FRONTEND", "NEEDRESTART_MODE", "PATH", "ANSIBLE_CONFIG"):
        print("FOUND", name, os.environ.get(name))
    print("FOUND", "umask", oct(mask), "cwd", os.getcwd(), "stdin", repr(sys.stdin.read() if sys.stdin else ""))
    print("FOUND", "strange", sorted(set(os.environ) & {"ANSIBLE_STDOUT_CALLBACK", "LD_PRELOAD", "SECRET"}))
    return playbook.Result("successful")
playbook.run = show
node = FakeNode(Path(sys.argv[1]))
sys.exit(run.run(["user-data", "--spread-seconds", "0"], os.environ, node))
"""


@case("E1")
@case("E2")
@pytest.mark.parametrize("mask", ["0077", "0000"])
def test_the_environment_is_made_and_not_taken_over(tmp_path, mask):
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/os-release").write_text("ID=debian\nVERSION_ID=12\n")
    handed = {"PATH": "/nowhere", "ANSIBLE_STDOUT_CALLBACK": "x", "LD_PRELOAD": "", "SECRET": "s"}
    script = 'umask %s; exec "$@" <&-' % mask
    done = subprocess.run(
        ["/bin/sh", "-c", script, "sh", sys.executable, "-c", PROCESS, str(tmp_path)],
        env={**handed, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = [line for line in done.stdout.splitlines() if line.startswith("FOUND")]
    text = "\n".join(found)
    assert "HOME %s" % (tmp_path / "var/lib/slipway/lifecycle") in text and "USER root" in text
    assert "LANG C.UTF-8" in text and "TERM dumb" in text and "/opt/slurm/bin" in text and "/nowhere" not in text
    assert "umask 0o22 cwd / stdin ''" in text
    assert "strange []" in text
    assert (tmp_path / "var/log/slipway/user-data.json").stat().st_mode & 0o777 == 0o644
    log = tmp_path / "var/log/slipway/user-data.log"
    assert log.stat().st_mode & 0o777 in (0o600, 0o640)
    assert log.read_text().endswith(done.stdout.splitlines()[-1] + "\n"), "the whole log, though stdin is closed"


@case("E2")
def test_nothing_can_ask_a_question():
    plain = settings.plain_environment({}, "/h", "/c")
    assert plain["DEBIAN_FRONTEND"] == "noninteractive" and plain["NEEDRESTART_MODE"] == "l"
    assert "</dev/null" in START.read_text(), "the hook has no terminal to ask on"


@case("E3")
def test_an_ordinary_user_is_refused_before_anything_else(hook):
    hook.node.uid = 1000
    outcome = hook("user-data")
    assert outcome.code == 4 and "runs as uid 1000 and needs root" in outcome.last
    assert outcome.clock.time == 0 and not outcome.runs


@case("E4")
def test_a_host_name_that_cannot_be_resolved_is_only_a_name(hook):
    hook.node.known_hosts = set()
    outcome = hook("user-data")
    assert outcome.code == 0
    host = outcome.runs[0]["inventory"]["slurm_cluster"]["children"]["compute"]["hosts"]["ip-10-1-66-201"]
    assert host["ansible_connection"] == "local"


def fake_python(directory: Path, name: str, version: str) -> None:
    """A python that says which one it is, and shows how it is started."""
    directory.mkdir(exist_ok=True)
    major, minor = version.split(".")
    code = 0 if (int(major), int(minor)) >= (3, 9) else 1
    (directory / name).write_text(
        '#!/bin/sh\ncase "$2" in\n  *print*) echo %s ;;\n  *exit*) exit %d ;;\n  *) echo STARTED %s "$@" ;;\nesac\n'
        % (version, code, version)
    )
    (directory / name).chmod(0o755)


def start(tmp_path, *arguments: str, shadow: bool = True) -> subprocess.CompletedProcess[str]:
    """Start the hook's shell where only the fake Pythons are found before the machine's own."""
    script = START.read_text()
    if shadow:
        # The machine's own Pythons are out of reach.
        script = script.replace('PATH="${PATH:-/usr/bin:/bin}:', 'PATH="${PATH}:').replace(
            ":/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", ":%s" % (tmp_path / "tools")
        )
    (tmp_path / "tools").mkdir(exist_ok=True)
    for tool in ("dirname", "mkdir", "sync", "sleep"):
        if not (tmp_path / "tools" / tool).exists():
            (tmp_path / "tools" / tool).symlink_to("/usr/bin/" + tool)
    (tmp_path / "start.sh").write_text(script)
    environment = {"PATH": str(tmp_path / "bin"), "SLIPWAY_FLUSH_SECONDS": "0"}
    return subprocess.run(
        ["/bin/sh", str(tmp_path / "start.sh"), *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@case("E5")
@pytest.mark.parametrize(
    ("pythons", "chosen"),
    [
        ({"python3": "3.12"}, "3.12"),
        ({"python3": "3.6", "python3.11": "3.11"}, "3.11"),
        ({"python3": "3.8", "python3.9": "3.9"}, "3.9"),
        ({"python3": "3.10", "python3.13": "3.13"}, "3.10"),
    ],
)
def test_the_first_python_that_will_do_is_started(tmp_path, pythons, chosen):
    for name, version in pythons.items():
        fake_python(tmp_path / "bin", name, version)
    done = start(tmp_path, "user-data", "--check")
    assert done.stdout == "STARTED %s -E -s -B %s user-data --check\n" % (chosen, tmp_path / "bootstrap.py")


@case("E5")
def test_only_old_pythons_are_named(tmp_path):
    fake_python(tmp_path / "bin", "python3", "3.6")
    fake_python(tmp_path / "bin", "python3.8", "3.8")
    (tmp_path / "bin/python3.9").write_text("#!/bin/sh\nexit 127\n")
    done = start(tmp_path, "user-data")
    assert done.returncode == 4
    assert "no Python 3.9 or newer on this node; found: %s/python3 (3.6)" % (tmp_path / "bin") in done.stdout


@case("E6")
def test_no_python_at_all(tmp_path):
    (tmp_path / "bin").mkdir()
    done = start(tmp_path, "user-data")
    assert done.returncode == 4
    assert done.stdout == "slipway user-data: failed (exit 4): no Python 3.9 or newer on this node; found: none\n"


@case("E7")
def test_the_nodes_own_ansible_is_out_of_reach(tmp_path):
    handed = {"ANSIBLE_ROLES_PATH": "/x", "ANSIBLE_CONFIG": "/x", "PYTHONPATH": "/x", "HOME": "/root"}
    plain = settings.plain_environment(handed, "/work", "/ours/ansible.cfg")
    assert plain["ANSIBLE_CONFIG"] == "/ours/ansible.cfg" and "ANSIBLE_ROLES_PATH" not in plain
    assert "PYTHONPATH" not in plain and plain["HOME"] == "/work" and plain["PYTHONNOUSERSITE"] == "1"
    ours = located({}).environment(Path("/work"))
    assert set(ours) == {"ANSIBLE_HOME", "ANSIBLE_LOCAL_TEMP", "ANSIBLE_REMOTE_TMP", "ANSIBLE_COLLECTIONS_PATH"}
    assert all(value.startswith(("/work/", str(REPOSITORY))) for value in ours.values())


@case("E8")
def test_a_clock_before_the_bundle_is_diagnosed(hook, monkeypatch):
    assert fitness.clock_problem(1_800_000_000, 1_800_000_000 + 7200) == "", "time zones are no fault"
    assert "20833 days before this bundle was made" in fitness.clock_problem(0, 1_800_000_000)
    hook.clock.wall = lambda: 0.0
    outcome = hook("user-data")
    assert outcome.code == 0 and outcome.report["duration"] >= 0, "durations do not come from the wall clock"


@case("E9")
def test_a_directory_is_judged_before_it_is_used(tmp_path, monkeypatch):
    def statvfs(path):
        flags = {"noexec": getattr(os, "ST_NOEXEC", 8), "readonly": os.ST_RDONLY}
        name = Path(path).name
        blocks = 10 if name == "small" else 1 << 30
        return os.statvfs_result((4096, 4096, blocks, blocks, blocks, 10**6, 10**6, 10**6, flags.get(name, 0), 255))

    monkeypatch.setattr(os, "statvfs", statvfs)
    bad = [str(tmp_path / name) for name in ("noexec", "readonly", "small")]
    assert bootstrap.choose_directory((*bad, str(tmp_path / "good"))) == str(tmp_path / "good")
    with pytest.raises(
        Refused, match=r"noexec is mounted noexec; .*readonly cannot be written; .*0 MiB free"
    ) as refused:
        bootstrap.choose_directory(tuple(bad))
    assert refused.value.code == 4


@case("E9")
def test_a_kernel_in_fips_mode_has_no_md5(tmp_path):
    """By contract: there hashlib.md5 and sha1 raise ValueError, and so they do here before anything is imported."""
    (tmp_path / "toy").write_text("x")
    program = (
        "import hashlib, runpy, sys\n"
        "def refused(*_words, **_more):\n    raise ValueError('disabled for FIPS')\n"
        "real = hashlib.new\n"
        "hashlib.md5 = hashlib.sha1 = refused\n"
        "hashlib.new = lambda name, *words: refused() if name in ('md5', 'sha1') else real(name, *words)\n"
        "from lifecycle import bootstrap, fetch, run\n"
        "print(bootstrap.digest_of(sys.argv[1]))\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "toy")]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == hashlib.sha256(b"x").hexdigest(), done.stderr
    shipped = [path for part in ("lifecycle", "plugins", "roles") for path in (REPOSITORY / part).rglob("*.*")]
    texts = {path.name: path.read_text() for path in shipped if path.suffix in (".py", ".yml", ".j2", ".sh", ".in")}
    assert len(texts) > 100
    assert [name for name, text in texts.items() if re.search(r"\b(md5|sha1)(sum)?\b", text)] == []


@case("E9")
def test_a_file_is_made_in_the_directory_whose_label_it_is_to_have(tmp_path, monkeypatch):
    """By contract: with SELinux a new file has the type of its directory, and rename(2) takes it along."""
    renamed = []
    real = os.rename
    monkeypatch.setattr(os, "rename", lambda old, new: renamed.append((old, new)) or real(old, new))
    files.write_atomically(str(tmp_path / "etc.conf"), b"x", 0o644, os.getuid(), os.getgid())
    files.link_atomically(str(tmp_path / "link"), "etc.conf")
    assert [(os.path.dirname(old), os.path.dirname(new)) for old, new in renamed] == [(str(tmp_path),) * 2] * 2


@case("E10")
@pytest.mark.parametrize("python", wheels.PYTHONS)
def test_every_compiled_wheel_has_its_checksum_for_both_machines(python):
    """By contract: what is compiled is pinned once per machine, with a checksum each."""
    pins = re.findall(r"(?m)^(\S+)==\S+ *((?:\\\n +--hash=\S+ *)+)", wheels.pins_of(python).read_text())
    hashes = {name.lower(): len(re.findall("--hash", found)) for name, found in pins}
    compiled = [name for name in hashes if name in ("cffi", "cryptography", "markupsafe", "pyyaml")]
    assert len(compiled) == 4 and all(hashes[name] >= len(wheels.ARCHITECTURES) for name in compiled), hashes


@case("E10")
def test_the_wheels_are_those_of_the_machine(monkeypatch):
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    assert bootstrap.kind()[1] == "%d.%d/aarch64" % sys.version_info[:2]


@case("E12")
def test_proxies_stay_and_the_metadata_service_is_asked_without():
    handed = {"https_proxy": "http://proxy:3128", "no_proxy": "10.0.0.0/8", "X": "y"}
    plain = settings.plain_environment(handed, "/h", "/c")
    assert plain["https_proxy"] == "http://proxy:3128" and "X" not in plain
    assert plain["no_proxy"] == plain["NO_PROXY"] == "10.0.0.0/8,169.254.169.254,localhost,127.0.0.1"
    assert "no_proxy" not in settings.plain_environment({}, "/h", "/c")


class Metadata(http.server.BaseHTTPRequestHandler):
    """The instance metadata service, version 2: no answer without its token."""

    asked: list[str]

    def do_PUT(self):
        good = self.headers.get("X-aws-ec2-metadata-token-ttl-seconds") == "60"
        self.answer(200 if good else 400, b"token")

    def do_GET(self):
        good = self.headers.get("X-aws-ec2-metadata-token") == "token"
        self.answer(200 if good else 401, b"i-0ccc" if good else b"")

    def answer(self, code, body):
        self.send_response(code)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments):
        pass


@case("E13")
def test_the_metadata_service_is_asked_with_a_token_and_past_any_proxy(monkeypatch):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Metadata)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert Node(metadata="http://127.0.0.1:%d" % server.server_port).instance_identifier() == "i-0ccc"
    server.shutdown()
    assert Node(metadata="http://127.0.0.1:9").instance_identifier() == "", "it is not required"


@case("E14")
def test_an_unsupported_distribution_is_named(hook):
    hook.node.write("/etc/os-release", 'ID="plan9"\nVERSION_ID="4"\n')
    outcome = hook("user-data")
    assert (
        outcome.code == 2 and "plan9 4 is not supported (supported: " in outcome.last and "Ubuntu 22.04" in outcome.last
    )
    hook.node.write("/etc/os-release", 'ID=debian\nVERSION_ID="3"\n')
    assert "Debian 3 is not supported" in hook("user-data").last
    hook.node.write("/etc/os-release", "")
    assert hook("user-data").code == 2


@case("E14")
def test_distributions_of_the_dnf_family_are_judged_by_their_major_version():
    supported = {"Rocky": ["9"], "Amazon": ["2023"], "RedHat": ["9"]}
    assert fitness.check_distribution({"ID": "rocky", "VERSION_ID": "9.4"}, supported) == "Rocky 9.4"
    assert fitness.check_distribution({"ID": "amzn", "VERSION_ID": "2023"}, supported) == "Amazon 2023"


def test_parallelcluster_files_are_no_hyperpod(hook):
    hook.node.write(CFNCONFIG, "cfn_node_type=HeadNode\n")
    assert hook("user-data").report["platform"] == "parallelcluster"
