"""The bundle: made the same twice, refused when damaged, started with nothing beside it."""

from __future__ import annotations

import contextlib
import hashlib
import http.server
import os
import platform
import re
import shutil
import subprocess
import sys
import threading
import time
import zipfile
from functools import partial
from pathlib import Path
from typing import ClassVar

import pytest

from lifecycle import bootstrap
from lifecycle.bundle import __main__ as maker
from lifecycle.bundle import archive, contents, wheels
from lifecycle.layout import COLLECTION, REPOSITORY
from lifecycle.outcome import BadConfiguration

case = pytest.mark.case
MACHINE = platform.machine()
# Interpreters to try the bundle with, separated by colons; docs/develop/testing.md.
PYTHONS = os.environ.get("LIFECYCLE_PYTHONS", sys.executable).split(":")
HOOK = """
import os, sys, toy
print("STARTED", sys.argv[1:], toy.VALUE, toy.pure.VALUE, os.getcwd())
print("PYTHON", sys.executable, sys.prefix)
print("FETCHED", os.environ.get("SLIPWAY_FETCHED"))
print("LEFT", sorted(name for name in os.environ if name in ("PYTHONPATH", "SLIPWAY_BUNDLE")))
import shutil; print("PLAYBOOK", os.path.exists(os.path.join(os.path.dirname(sys.executable), "ansible-playbook")))
"""


def wheel(path: Path, files: dict[str, str]) -> Path:
    with zipfile.ZipFile(path, "w") as made:
        for name, text in files.items():
            made.writestr(zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0)), text)
    return path


def toy_files(directory: Path) -> dict[str, Path]:
    """The smallest bundle: a hook that says how it was started, and a wheel it imports."""
    directory.mkdir(parents=True)
    texts = {
        str(COLLECTION / "lifecycle/__init__.py"): "",
        str(COLLECTION / "lifecycle/__main__.py"): HOOK,
        "site/group_vars/all/enroot.yml": "a: b\n",
    }
    files = {}
    for number, (name, text) in enumerate(texts.items()):
        files[name] = directory / str(number)
        files[name].write_text(text)
    packed = {"toy/__init__.py": "VALUE = 'toy'\nfrom toy import pure", "toy-1.data/purelib/toy/pure.py": "VALUE = 1"}
    packed["toy-1.data/scripts/run"] = "x"
    files["wheels/toy-1-py3-none-any.whl"] = wheel(directory / "toy-1-py3-none-any.whl", packed)
    return files


def toy_bundle(directory: Path, change=lambda _files, _described: None) -> Path:
    files = toy_files(directory / "files")
    kinds = {"3.%d/%s" % (minor, MACHINE): ["toy-1-py3-none-any.whl"] for minor in range(9, 15)}
    described = archive.manifest(files, kinds, "0.1.0", 1_700_000_000)
    change(files, described)
    return archive.write(directory, files, described)


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def hyperpod_prefix(tmp_path: Path) -> Path:
    """What HyperPod copies to a node: modes lost, a space in the path, read-only."""
    prefix = tmp_path / "a bucket" / "src"
    prefix.mkdir(parents=True)
    shutil.copy(toy_bundle(tmp_path / "made"), prefix)
    for path in [*(REPOSITORY / "lifecycle/hooks").glob("*.sh"), *(REPOSITORY / "lifecycle" / n for n in maker.ALONE)]:
        shutil.copyfile(path, prefix / path.name)
        (prefix / path.name).chmod(0o444)
    return prefix


def listing(directory: Path) -> list[tuple[str, str]]:
    return sorted((str(path), digest(path)) for path in directory.rglob("*") if path.is_file())


@pytest.fixture
def run(tmp_path):
    """Start a script as a platform would: with hardly any environment, from somewhere else."""

    def start(
        *command: object, python: str = sys.executable, directory: Path = Path("/"), **environment: str
    ) -> subprocess.CompletedProcess[str]:
        programs = tmp_path / ("bin-%s" % hashlib.sha256(python.encode()).hexdigest()[:8])
        programs.mkdir(exist_ok=True)
        with contextlib.suppress(FileExistsError):
            (programs / "python3").symlink_to(python)
        plain = {"PATH": "%s:/usr/bin:/bin" % programs, "SLIPWAY_WORK_DIRECTORY": str(tmp_path / "work")}
        plain.update({"SLIPWAY_FLUSH_SECONDS": "0", "SLIPWAY_SPREAD_SECONDS": "0"})
        return subprocess.run(
            list(map(str, command)),
            env={**plain, **environment},
            cwd=directory,
            capture_output=True,
            text=True,
            check=False,
        )

    return start


@case("R36")
@pytest.mark.parametrize("script", ["on_create.sh", "on_init_complete.sh"])
def test_hyperpod_starts_it_from_its_prefix_and_nothing_is_written_there(tmp_path, run, script):
    prefix = hyperpod_prefix(tmp_path)
    before = listing(prefix)
    done = run("/bin/bash", prefix / script)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "STARTED ['%s'] toy 1 /" % script[:-3].replace("_", "-") in done.stdout
    assert "LEFT []" in done.stdout and "PLAYBOOK True" in done.stdout
    assert listing(prefix) == before


@case("E5")
@pytest.mark.parametrize("python", PYTHONS, ids=lambda path: Path(path).name)
def test_it_starts_with_every_python_and_leaves_the_systems_own_alone(tmp_path, run, python):
    prefix = hyperpod_prefix(tmp_path)
    asked = "import site, sys; print(sys.prefix, *site.getsitepackages())"
    places = subprocess.run([python, "-c", asked], capture_output=True, text=True, check=True).stdout.split()
    before = [sorted(os.listdir(place)) if os.path.isdir(place) else [] for place in places[1:]]
    done = run("/bin/sh", prefix / "start.sh", "user-data", python=python)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "STARTED ['user-data'] toy 1 /" in done.stdout
    environment = re.search(r"PYTHON (\S+) (\S+)", done.stdout)
    assert environment and environment.group(2).startswith(str(tmp_path / "work"))
    assert [sorted(os.listdir(place)) if os.path.isdir(place) else [] for place in places[1:]] == before


@case("E7")
def test_nothing_is_imported_from_where_the_platform_happens_to_stand(tmp_path, run):
    prefix = hyperpod_prefix(tmp_path)
    strange = tmp_path / "strange"
    (strange / "lifecycle").mkdir(parents=True)
    for name in ("lifecycle/__init__.py", "lifecycle/__main__.py", "json.py", "toy.py", "ansible.py"):
        (strange / name).write_text("raise SystemExit('imported from the wrong place')\n")
    done = run("/bin/bash", prefix / "on_create.sh", directory=strange, PYTHONPATH=str(strange))
    assert done.returncode == 0 and "STARTED ['on-create'] toy 1" in done.stdout, done.stdout + done.stderr
    starter = next((tmp_path / "work").glob("*/python/bin/ansible-playbook"))
    assert " -I -c " in starter.read_text()


class Files(http.server.SimpleHTTPRequestHandler):
    asked: ClassVar[list[str]] = []

    def do_GET(self):
        self.asked.append(self.path)
        super().do_GET()

    def log_message(self, *_arguments):
        pass


@pytest.fixture
def served(tmp_path):
    """A web server of the bundle's directory; yields its address."""
    bundle = toy_bundle(tmp_path / "made")
    Files.asked = []
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Files, directory=str(bundle.parent)))
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield bundle, "http://127.0.0.1:%d/%s" % (server.server_port, bundle.name)
    server.shutdown()
    server.server_close()


def alone(tmp_path: Path, sha256: str, url: str) -> Path:
    """The one script, under a random name without siblings and after dos2unix, as ParallelCluster starts it."""
    path = tmp_path / "tmpq8x2kd"
    text = maker.single_script(sha256, url)
    assert "\r" not in text and "@" + "URL@" not in text
    path.write_text(text)
    path.chmod(0o755)
    return path


@case("R35")
def test_the_single_script_fetches_and_verifies_the_bundle(tmp_path, run, served):
    bundle, url = served
    script = alone(tmp_path, digest(bundle), url)
    done = run(script, "on-node-configured", "--role", "compute", TMPDIR=str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "STARTED ['on-node-configured', '--role', 'compute'] toy 1 /" in done.stdout
    assert '"attempts": 1, "bytes": %d' % bundle.stat().st_size in done.stdout
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("tmp.")] == [], "nothing temporary is left"
    again = run(script, "on-node-configured")
    assert again.returncode == 0 and Files.asked == ["/" + bundle.name], "what is unpacked is not fetched again"


@pytest.mark.slow
@case("R35")
def test_a_bundle_of_another_content_is_refused(tmp_path, run, served):
    _bundle, url = served
    done = run(alone(tmp_path, "0" * 64, url), "on-node-configured", SLIPWAY_TEST="1")
    assert done.returncode == 4 and "STARTED" not in done.stdout
    assert (
        done.stdout.splitlines()[-1]
        .split(" ", 1)[1]
        .startswith("slipway on-node-configured: failed (exit 4): the bundle cannot be fetched: ")
    )
    assert "expected %s" % ("0" * 64) in done.stdout
    assert not list((tmp_path / "work").glob("0*")) and not list((tmp_path / "work").glob(".partial*"))


@case("N19")
def test_hooks_that_begin_together_fetch_the_bundle_once(tmp_path, run, served):
    bundle, url = served
    script = alone(tmp_path, digest(bundle), url)
    outcomes: list[int] = []
    threads = [
        threading.Thread(target=lambda: outcomes.append(run(script, "user-data").returncode)) for _number in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes == [0] * 4 and Files.asked == ["/" + bundle.name]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--bundle",), 2, "--bundle needs a value"),
        (("--bundle", "/x", "--bundle-sha256=abc"), 2, "must be 64 hexadecimal digits, found 'abc'"),
        (("--bundle", "https://h/b?X-Amz-Signature=s3cret"), 2, "needs --bundle-sha256"),
        ((), 2, "no bundle: give --bundle"),
    ],
)
def test_arguments_of_the_bootstrap_are_judged(tmp_path, run, arguments, code, said):
    for name in maker.ALONE:
        shutil.copy(REPOSITORY / "lifecycle" / name, tmp_path)
    done = run(sys.executable, tmp_path / "bootstrap.py", "user-data", *arguments)
    assert done.returncode == code and said in done.stdout.splitlines()[-1]
    assert "Traceback" not in done.stdout + done.stderr and "s3cret" not in done.stdout


def prepare(tmp_path: Path, monkeypatch, bundle: Path) -> str:
    monkeypatch.setenv("SLIPWAY_WORK_DIRECTORY", str(tmp_path / "work"))
    return bootstrap.prepare([str(bundle)], digest(bundle))


def no_wheels(_files, described):
    described["wheels"] = {"2.7/vax": []}


def damaged(files, described):
    described["files"]["site/group_vars/all/enroot.yml"]["sha256"] = "0" * 64
    assert "site/group_vars/all/enroot.yml" in files


def unnamed(_files, described):
    del described["files"]["site/group_vars/all/enroot.yml"]


def escaping(files, described):
    files["../evil"] = next(iter(files.values()))
    described["files"]["../evil"] = {"sha256": digest(files["../evil"])}


@pytest.mark.parametrize(
    ("change", "code", "said"),
    [
        (no_wheels, 4, r"no wheels for Python .* \(it has 2\.7/vax\)"),
        (damaged, 2, r"enroot\.yml in the bundle is damaged"),
        (unnamed, 2, "which its manifest does not name"),
        (escaping, 2, r"'\.\./evil', which its manifest does not name"),
    ],
)
def test_a_bundle_that_is_not_right_leaves_nothing(tmp_path, monkeypatch, change, code, said):
    bundle = toy_bundle(tmp_path / "made", change)
    with pytest.raises(bootstrap.Refused, match=said) as refused:
        prepare(tmp_path, monkeypatch, bundle)
    assert refused.value.code == code
    assert [path.name for path in (tmp_path / "work").iterdir()] == [".bootstrap.lock"]


@pytest.mark.parametrize("content", [b"", b"no tar", b"\0" * 20000])
def test_what_is_no_bundle_is_one_line(tmp_path, run, content):
    path = tmp_path / "slipway-x.tar"
    path.write_bytes(content)
    for name in maker.ALONE:
        shutil.copy(REPOSITORY / "lifecycle" / name, tmp_path)
    done = run(
        sys.executable, tmp_path / "bootstrap.py", "user-data", "--bundle", path, "--bundle-sha256", digest(path)
    )
    assert done.returncode in (2, 4) and "Traceback" not in done.stderr
    assert "failed (exit" in done.stdout.splitlines()[-1]


def test_a_bundle_beside_the_script_is_judged_by_its_name(tmp_path, monkeypatch):
    bundle = toy_bundle(tmp_path / "made")
    assert bundle.name == "slipway-%s.tar" % digest(bundle)[:16]
    with bundle.open("ab") as stream:
        stream.write(b"x")
    monkeypatch.setenv("SLIPWAY_WORK_DIRECTORY", str(tmp_path / "work"))
    with pytest.raises(bootstrap.Refused, match="is damaged"):
        bootstrap.prepare([str(bundle)], "")


@case("I5")
def test_what_a_killed_bootstrap_left_is_cleared_away(tmp_path, monkeypatch):
    bundle = toy_bundle(tmp_path / "made")
    left = tmp_path / "work" / (bootstrap.PARTIAL + "x") / "python"
    left.mkdir(parents=True)
    half = tmp_path / "work" / ("%s-%s" % (digest(bundle)[:16], bootstrap.kind()[0]))
    half.mkdir()
    directory = prepare(tmp_path, monkeypatch, bundle)
    assert Path(directory) == half and (half / "unpacked.json").is_file(), "without its last file it counts for nothing"
    assert not left.exists()


def test_the_same_contents_are_the_same_bytes(tmp_path):
    first = toy_bundle(tmp_path / "one")
    time.sleep(0.01)
    second = toy_bundle(tmp_path / "two")
    assert first.name == second.name and first.read_bytes() == second.read_bytes()
    beside = first.with_name(first.name + ".sha256").read_text()
    assert beside == "%s  %s\n" % (digest(first), first.name)


def test_a_wheel_that_reaches_out_is_refused(tmp_path):
    evil = wheel(tmp_path / "evil-1-py3-none-any.whl", {"../evil.py": ""})
    with pytest.raises(bootstrap.Refused, match=r"'\.\./evil\.py'"):
        bootstrap.unpack_wheel(str(evil), str(tmp_path / "packages"))


def test_the_code_of_a_bundle_is_the_collection_and_nothing_else():
    files = contents.code()
    inside = {str(Path(name).relative_to(COLLECTION)) for name in files}
    assert {"playbooks/site.yml", "lifecycle/run.py", "lifecycle/ansible.cfg", "galaxy.yml", "LICENSE"} <= inside
    assert "roles/pyxis/meta/argument_specs.yml" in inside and "plugins/module_utils/slurm_host.py" in inside
    strange = [
        name for name in inside if name.startswith(("tests", "docs", ".", "molecule", "lifecycle/bundle", "inv"))
    ]
    assert strange == []


def test_a_site_is_taken_without_what_no_node_can_read(tmp_path):
    site = tmp_path / "site"
    (site / "group_vars/all").mkdir(parents=True)
    (site / "group_vars/all/enroot.yml").write_text("a: b\n")
    (site / "hosts.yml").write_text("all: {}\n")
    (site / "lifecycle.yml").write_text("role: login\n")
    assert sorted(contents.site(site)) == ["site/group_vars/all/enroot.yml", "site/lifecycle.yml"]
    (site / "group_vars/all/vault_enroot.yml").write_text("$ANSIBLE_VAULT;1.1;AES256\n00\n")
    with pytest.raises(BadConfiguration, match="is encrypted, and a node has no password"):
        contents.site(site)
    with pytest.raises(BadConfiguration, match="is no site"):
        contents.site(tmp_path / "nowhere")


def test_artifacts_are_those_of_the_lock_each_verified(tmp_path):
    site, mirror = tmp_path / "site", tmp_path / "mirror"
    site.mkdir()
    mirror.mkdir()
    (mirror / "a.deb").write_text("a")
    lock = "artifacts_lock_version: 1\nartifacts:\n  a.deb:\n    url: %s\n    sha256: %s\n    size: 1\n"
    (site / "artifacts.lock.yml").write_text(lock % ("file:///nowhere/a.deb", digest(mirror / "a.deb")))
    assert contents.artifacts(site, mirror, tmp_path / "cache") == {"artifacts/a.deb": mirror / "a.deb"}
    (mirror / "a.deb").write_text("b")
    with pytest.raises(BadConfiguration, match=r"a\.deb: .*put it into ARTIFACTS"):
        contents.artifacts(site, mirror, tmp_path / "cache")


def test_the_lock_is_read_as_the_module_writes_it():
    from ansible_collections.slipway.containers.plugins.module_utils import artifact_lock

    entry = artifact_lock.Entry("https://h/x", "ab" * 32, 3)
    found = contents.LOCK_ENTRY.findall(artifact_lock.render({"a.deb": entry, "b+c_1~2.deb": entry}))
    assert found == [("a.deb", "https://h/x", "ab" * 32), ("b+c_1~2.deb", "https://h/x", "ab" * 32)]


def test_a_plugin_needs_its_checksum(tmp_path):
    plugin = tmp_path / "spank_pyxis-0.24.0-slurm-24.11-debian13-x86_64.so"
    plugin.write_text("elf")
    with pytest.raises(BadConfiguration, match="has no checksum beside it"):
        contents.plugins(tmp_path)
    plugin.with_name(plugin.name + ".sha256").write_text("%s  %s\n" % (digest(plugin), plugin.name))
    assert len(contents.plugins(tmp_path)) == 2 and contents.plugins(None) == {}


@pytest.mark.parametrize("python", wheels.PYTHONS)
def test_every_pin_has_its_checksums(python):
    text = wheels.pins_of(python).read_text()
    blocks = re.split(r"^(?=\S+==)", text, flags=re.MULTILINE)[1:]
    assert len(blocks) >= 14 and all("--hash=sha256:" in block for block in blocks)
    core = re.search(r"^ansible-core==(\S+)", text, re.MULTILINE)
    tested = re.search(r"^ansible-core==(\S+)$", (REPOSITORY / "requirements.txt").read_text(), re.MULTILINE)
    assert core and tested
    if python in ("3.11", "3.12", "3.13"):
        assert core.group(1) == tested.group(1), "the bundle carries what the repository is tested with"
    with pytest.raises(BadConfiguration, match=r"no wheels for Python 2\.7"):
        wheels.pins_of("2.7")


def test_the_command_says_what_keeps_it_from_making_a_bundle(tmp_path, capsys):
    assert maker.main(["--site", str(tmp_path / "nowhere"), "--output", str(tmp_path / "out")]) == 2
    assert "no bundle was made: %s is no site" % (tmp_path / "nowhere") in capsys.readouterr().err


@case("N13")
def test_a_bundle_carries_a_repository_and_nothing_that_is_none(tmp_path):
    (tmp_path / "a.deb").write_text("x")
    with pytest.raises(BadConfiguration, match=r"is no repository, for it has none of Packages, .*apt-ftparchive"):
        contents.packages(tmp_path)
    (tmp_path / "Packages").write_text("")
    assert sorted(contents.packages(tmp_path)) == ["packages/Packages", "packages/a.deb"]
    assert contents.packages(None) == {}
