"""The NVIDIA container toolkit on nodes with simulated GPUs, from a signed apt repository of stand-ins."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from tests.sandbox.harness import IMAGE, ROOT, Sandbox
from tests.sandbox.playbook_run import Run

pytestmark = pytest.mark.sandbox

ROLE = "nvidia_container_toolkit"
PACKAGES = (
    "libnvidia-container1",
    "libnvidia-container-tools",
    "nvidia-container-toolkit",
    "nvidia-container-toolkit-base",
)
OLDER, NEWER = "1.19.1~standin1-1", "1.21.0~standin1-1"
KEY = "/etc/apt/keyrings/slipway-nvidia-container-toolkit.asc"
SOURCE = "/etc/apt/sources.list.d/slipway-nvidia-container-toolkit.sources"
GUIDES = "/etc/apt/sources.list.d/nvidia-container-toolkit.list"
MODULES = "/etc/modules-load.d/slipway-nvidia.conf"
CDI = "/run/cdi/nvidia.yaml"
# Where every node sees packages that no repository has.
SHELF = "toolkit-test"
# dpkg knows those as well that others only suggest; they have no version.
SHOWN = "${Package} ${Version} ${db:Status-Want}\\n"
STATE = f"dpkg-query -W -f '{SHOWN}' {' '.join(PACKAGES)} 2>/dev/null | awk 'NF == 3'"


WITH_DOCKER = pytest.mark.skipif(not (ROOT / "roles/docker").is_dir(), reason="there is no role docker")


def only(sandbox: Sandbox, *arguments: str, **variables: object) -> Run:
    """Run what site.yml has for the role."""
    return sandbox.converge("--tags", ROLE, *arguments, **variables)


def packages(sandbox: Sandbox, node: str) -> set[tuple[str, str]]:
    """Return (version, what dpkg is told to do) of the packages that are there."""
    return {tuple(line.split()[1:]) for line in sandbox.ask(node, STATE).splitlines()}  # type: ignore[misc]


def install(sandbox: Sandbox, node: str, version: str, *names: str) -> None:
    """Put packages of another version on a node by hand."""
    files = " ".join(f"/images/{SHELF}/{name}_{version}_*.deb" for name in names)
    sandbox.alter(node, f"apt-mark unhold {' '.join(names)}; dpkg --force-depends -i {files}")


@pytest.fixture(scope="module")
def toolkit(sandbox: Sandbox) -> Iterator[Sandbox]:
    """The converged sandbox, with an older and a newer toolkit on a shelf that the nodes see."""
    sandbox.settle()
    shelf = sandbox.settings.state / "images" / SHELF
    for version in (OLDER, NEWER):
        script = "import sys, pathlib, build; build.build_nvidia(pathlib.Path(sys.argv[1]), version=sys.argv[2])"
        shelf.mkdir(exist_ok=True)
        subprocess.run([sys.executable, "-c", script, str(shelf), version], cwd=ROOT / "tests/standins", check=True)
    yield sandbox
    shutil.rmtree(shelf)


@pytest.fixture(scope="module")
def wanted(toolkit: Sandbox) -> set[tuple[str, str]]:
    """The state of all four packages on a node with GPUs."""
    return {(toolkit.version(ROLE) + "-1", "hold")}


@pytest.mark.case("P1")
def test_nodes_with_gpus_have_it(toolkit: Sandbox, wanted: set[tuple[str, str]]) -> None:
    for node in toolkit.computes:
        assert packages(toolkit, node) == wanted
        assert len(toolkit.ask(node, STATE).splitlines()) == len(PACKAGES)
        devices = toolkit.ask(node, "nvidia-ctk cdi list").split()
        assert "nvidia.com/gpu=all" in devices and "nvidia.com/gpu=7" in devices
        assert toolkit.ask(node, f"grep -v '#' {MODULES}") == "nvidia_uvm"
        assert toolkit.ask(node, "systemctl is-system-running") == "running"


def test_the_repository_is_trusted_by_its_own_key_only(toolkit: Sandbox) -> None:
    node = toolkit.computes[0]
    assert toolkit.ask(node, f"grep -c {KEY} {SOURCE}") == "1"
    update = f"apt-get -o Dir::Etc::sourcelist={SOURCE} -o Dir::Etc::sourceparts=- --no-list-cleanup update"
    assert toolkit.execute(node, update).code == 0
    # The key of somebody else.
    toolkit.alter(node, f"cp {KEY} /root/key; cp /usr/share/keyrings/debian-archive-keyring.gpg {KEY}")
    result = toolkit.execute(node, f"{update} 2>&1; mv /root/key {KEY}")
    # apt's own words in trixie, gpgv's in bookworm.
    assert "Missing key" in result.output or "NO_PUBKEY" in result.output, result.output


@pytest.mark.case("R23")
@pytest.mark.case("E10")
def test_other_nodes_are_passed_over_with_a_reason(toolkit: Sandbox) -> None:
    run = only(toolkit).unchanged()
    for node in ("head", "login1"):
        assert f"no NVIDIA container toolkit on {node}: its GPU vendor is none" in run.text
        assert packages(toolkit, node) == set()
        assert toolkit.ask(node, f"ls {SOURCE} {KEY} {MODULES} {CDI} 2>/dev/null; true") == ""


# An image as NVIDIA's are: whoever starts it is to have all GPUs.
START = """
set -e
export ENROOT_SQUASH_OPTIONS="-comp lz4 -noI -noD -noF -noX"
cd "$(mktemp -d)"
enroot import -o image.sqsh docker://head:5000#slipway/busybox:1 >/dev/null 2>&1
enroot create --force --name asks image.sqsh >/dev/null 2>&1
data=$(echo /scratch/slipway/enroot/data/user-$(id -u)/asks)
echo NVIDIA_VISIBLE_DEVICES=all >> $data/etc/environment
enroot start asks sh -c 'echo devices=$NVIDIA_VISIBLE_DEVICES'
"""


def test_an_image_that_asks_for_gpus_starts_where_there_are_none(toolkit: Sandbox) -> None:
    site = "/etc/enroot/environ.d/50-slipway.env"
    assert toolkit.ask("login1", START, "member").endswith("devices=void")
    toolkit.alter("login1", f"mv {site} /root/")
    failed = toolkit.execute("login1", START, "member")
    toolkit.alter("login1", f"mv /root/50-slipway.env {site}")
    assert failed.code != 0 and "nvidia-container-cli" in failed.output, failed.output
    node = toolkit.computes[0]
    assert toolkit.ask(node, f"ls {site} 2>/dev/null; true") == ""
    assert toolkit.ask(node, START, "member").endswith("devices=all")


@dataclass(frozen=True)
class Drift:
    """Something done by hand to a node with GPUs, and a script that prints what shows it."""

    name: str
    script: str
    shows: str


DRIFTS = (
    Drift("a removed hold", "apt-mark unhold nvidia-container-toolkit", STATE),
    Drift("a deleted CDI specification", f"rm {CDI}", f"cat {CDI}"),
    Drift("a repository of somebody else", f"sed -i 's#^URIs.*#URIs: file:/nowhere#' {SOURCE}", f"cat {SOURCE}"),
    Drift("another key", f"echo >> {KEY}", f"md5sum {KEY}"),
    Drift("no module at boot", f"rm {MODULES}", f"cat {MODULES}"),
    Drift(
        "a disabled service",
        "systemctl disable --now nvidia-cdi-refresh.path",
        "systemctl is-enabled nvidia-cdi-refresh.path; systemctl is-active nvidia-cdi-refresh.path",
    ),
)


def look(sandbox: Sandbox) -> list[str]:
    return [sandbox.execute(sandbox.computes[0], drift.shows).stdout for drift in DRIFTS]


@pytest.fixture(scope="module")
def repair(toolkit: Sandbox) -> dict[str, tuple[str, str, str]]:
    """What showed before the drifts, with all of them, and after one run."""
    before = look(toolkit)
    for drift in DRIFTS:
        toolkit.alter(toolkit.computes[0], drift.script)
    install(toolkit, toolkit.computes[0], OLDER, "libnvidia-container1")
    drifted = look(toolkit)
    only(toolkit).succeeded()
    return dict(zip([drift.name for drift in DRIFTS], zip(before, drifted, look(toolkit), strict=True), strict=True))


@pytest.mark.parametrize("name", [drift.name for drift in DRIFTS])
def test_one_run_repairs(repair: dict[str, tuple[str, str, str]], name: str) -> None:
    before, drifted, after = repair[name]
    assert drifted != before, "nothing had drifted"
    assert after == before


@pytest.mark.usefixtures("repair")
def test_one_package_of_another_version_is_raised(toolkit: Sandbox, wanted: set[tuple[str, str]]) -> None:
    assert packages(toolkit, toolkit.computes[0]) == wanted


@pytest.mark.usefixtures("repair")
def test_the_next_run_changes_nothing(toolkit: Sandbox) -> None:
    only(toolkit).unchanged()


@WITH_DOCKER
@pytest.mark.usefixtures("repair")
@pytest.mark.parametrize(
    ("options", "gpus"),
    [
        ("--runtime=nvidia --env NVIDIA_VISIBLE_DEVICES=0,1", "nvidia0 nvidia1"),
        ("--gpus device=2", "nvidia2"),
        ("--device nvidia.com/gpu=3", "nvidia3"),
        ("", ""),
    ],
)
def test_docker_gives_a_container_the_gpus_it_names(toolkit: Sandbox, options: str, gpus: str) -> None:
    command = f"docker run --rm {options} {IMAGE} sh -c 'cd /dev; for gpu in nvidia*; do : < $gpu && echo $gpu; done'"
    assert toolkit.execute(toolkit.computes[0], command, "member").stdout.split() == gpus.split()


@WITH_DOCKER
def test_dockers_keys_are_there_on_nodes_with_gpus_only(toolkit: Sandbox) -> None:
    read = "cat /etc/docker/daemon.json"
    assert "nvidia" not in json.loads(toolkit.ask("head", read)).get("runtimes", {})
    node = toolkit.computes[0]
    keys = json.loads(toolkit.ask(node, read))
    assert keys["runtimes"]["nvidia"]["path"] == "nvidia-container-runtime" and keys["features"]["cdi"] is True
    del keys["runtimes"], keys["features"]
    toolkit.alter(node, f"echo '{json.dumps(keys)}' > /etc/docker/daemon.json")
    only(toolkit, "--limit", node).succeeded()
    assert json.loads(toolkit.ask(node, read))["runtimes"]["nvidia"]["path"] == "nvidia-container-runtime"


def test_a_gpu_less_makes_the_specification_anew(toolkit: Sandbox) -> None:
    node = toolkit.computes[0]
    toolkit.alter(node, "mv /dev/nvidia7 /dev/spare")
    try:
        only(toolkit, "--limit", node).succeeded()
        assert "nvidia.com/gpu=7" not in toolkit.ask(node, "nvidia-ctk cdi list").split()
    finally:
        toolkit.alter(node, "mv /dev/spare /dev/nvidia7")


@pytest.mark.case("P10")
def test_configuration_and_persistence_daemon(toolkit: Sandbox) -> None:
    node, unit = toolkit.computes[0], "nvidia-persistenced.service"
    text = "[Service]\\nExecStart=/bin/sleep infinity\\n[Install]\\nWantedBy=multi-user.target\\n"
    toolkit.alter(node, f"printf '{text}' > /etc/systemd/system/{unit}; systemctl daemon-reload")
    config = {"nvidia-container-runtime.mode": "legacy", "nvidia-container-runtime.runtimes": ["crun", "runc"]}
    try:
        only(toolkit, "--limit", node, nvidia_container_toolkit_config=config).succeeded()
        only(toolkit, "--limit", node, nvidia_container_toolkit_config=config).unchanged()
        assert toolkit.ask(node, f"systemctl is-enabled {unit}; systemctl is-active {unit}").split() == [
            "enabled",
            "active",
        ]
        text = toolkit.ask(node, "cat /etc/nvidia-container-runtime/config.toml")
        assert 'mode = "legacy"' in text and 'runtimes = ["crun", "runc"]' in text
        assert 'ldconfig = "@/sbin/ldconfig"' in text
    finally:
        toolkit.alter(node, f"systemctl disable --now {unit}; rm /etc/systemd/system/{unit}; systemctl daemon-reload")


@pytest.fixture
def guided(toolkit: Sandbox) -> Iterator[str]:
    """A node that is whole, and whose admin then followed NVIDIA's guide: a list of his own, with another keyring."""
    node, keyring = toolkit.computes[0], "/usr/share/keyrings/nvidia-container-toolkit-keyring.asc"
    uri = toolkit.ask(node, f"sed -n 's/^URIs: //p' {SOURCE}")
    toolkit.alter(node, f"cp {KEY} {keyring}; echo 'deb [signed-by={keyring}] {uri} /' > {GUIDES}")
    yield node
    toolkit.alter(node, f"rm {GUIDES} {keyring}")
    only(toolkit, "--limit", node).succeeded()
    assert set(toolkit.ask(node, f"ls {SOURCE} {KEY}").split()) == {SOURCE, KEY}


def test_a_source_of_the_admins_own_is_left_to_serve(
    toolkit: Sandbox, guided: str, wanted: set[tuple[str, str]]
) -> None:
    assert "Conflicting values set for option Signed-By" in toolkit.execute(guided, "apt-get check 2>&1").output
    only(toolkit, "--limit", guided).succeeded()
    assert toolkit.ask(guided, f"ls {SOURCE} {KEY} 2>/dev/null; apt-get -qq update && apt-get -qq check") == ""
    only(toolkit, "--limit", guided).unchanged()
    # The packages come from there.
    toolkit.alter(guided, f"dpkg --force-hold --purge {' '.join(PACKAGES)}")
    only(toolkit, "--limit", guided).succeeded()
    assert packages(toolkit, guided) == wanted
    assert toolkit.ask(guided, f"ls {SOURCE} {KEY} 2>/dev/null; true") == ""


@pytest.mark.parametrize(
    ("version", "reason"),
    [("1.17.7", "issues/1093"), ("1.18.0", "issues/1487"), ("1.19.0", "CVE-2026-24260")],
)
def test_a_refused_version_changes_nothing(toolkit: Sandbox, version: str, reason: str) -> None:
    run = toolkit.play("preflight", nvidia_container_toolkit_version=version).failed()
    assert f'"{version}"' in run.text and reason in run.text
    assert run.total("changed") == 0


@pytest.mark.case("N17")
def test_a_newer_version_is_kept(toolkit: Sandbox) -> None:
    node = toolkit.computes[0]
    install(toolkit, node, NEWER, *PACKAGES)
    toolkit.alter(node, f"apt-mark hold {' '.join(PACKAGES)}")
    run = only(toolkit, "--limit", node).unchanged()
    assert f"the NVIDIA container toolkit {NEWER} on {node} is kept" in run.text
    assert packages(toolkit, node) == {(NEWER, "hold")}


def test_nvidias_key_is_not_taken_from_anywhere(toolkit: Sandbox) -> None:
    name = "nvidia-container-toolkit.asc"
    (toolkit.mirror / name).write_text("-----BEGIN PGP PUBLIC KEY BLOCK-----\n")
    try:
        run = only(toolkit, nvidia_container_toolkit_repository_key="").failed()
    finally:
        (toolkit.mirror / name).unlink()
    assert name in run.text and "wrong checksum" in run.text
    assert run.total("changed") == 0


def snapshot(sandbox: Sandbox) -> dict[str, str]:
    """Return what each node has of the role."""
    places = f"ls {SOURCE} {KEY} {MODULES} {CDI} /etc/nvidia-container-* /usr/bin/nvidia-* 2>/dev/null; {STATE}"
    return {node: sandbox.ask(node, places) for node in sandbox.nodes}


@pytest.fixture
def removed(toolkit: Sandbox) -> Iterator[Callable[[], Run]]:
    """A way to take the role's things out."""
    yield lambda: only(toolkit, nvidia_container_toolkit_state="absent")
    toolkit.settled = False


def test_absent_leaves_nothing_and_files_bring_it_back(toolkit: Sandbox, removed: Callable[[], Run]) -> None:
    removed().succeeded()
    assert set(snapshot(toolkit).values()) == {""}
    removed().unchanged()
    for path in (toolkit.settings.state / "toolkit").glob("*.deb"):
        shutil.copy2(path, toolkit.mirror)
    try:
        only(toolkit, nvidia_container_toolkit_source="files", artifacts_allow_unlocked=True).succeeded()
    finally:
        for path in toolkit.mirror.glob("*nvidia-container*.deb"):
            path.unlink()
    for node in toolkit.computes:
        assert packages(toolkit, node) == {(toolkit.version(ROLE) + "-1", "hold")}
        assert toolkit.ask(node, f"ls {SOURCE} 2>/dev/null; true") == ""
        assert len(json.loads(toolkit.ask(node, f"cat {CDI}"))["devices"]) == 17
