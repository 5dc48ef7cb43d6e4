"""Real Apptainer, from Debian's sid: containers of ordinary users on every node role, and what the role keeps."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from tests.sandbox import snapshots
from tests.sandbox.harness import IMAGE, INSIDE, ROOT, Sandbox
from tests.sandbox.playbook_run import Run, words

pytestmark = pytest.mark.sandbox

NODES = ("head", "login1", "compute1")
SIF = "/images/apptainer-test.sif"
DATA = "/scratch/slipway/apptainer"
CONFIGURATION = "/etc/apptainer/apptainer.conf"
PROFILE = "/etc/profile.d/slipway-apptainer.sh"
# An ordinary login shell: the variables come from profile.d.
LOGIN = ". /etc/profile; cd ~; "
DEFINITION = f"""Bootstrap: docker
From: {IMAGE}
%post
    touch /made
    chown 7:7 /made
    stat -c owner=%u:%g /made
"""
OPEN_DEVICES = "for device in /dev/nvidia[0-7]; do (exec 3< $device) 2> /dev/null && echo open=$device; done; true"
# `daemon` has no range of its own; useradd gave one to each account of the sandbox.
USERS = ["member", "guest", "daemon"]
RANGE = "daemon:700000000:65536"
# A range that an admin gives to one of them, as `apptainer config fakeroot --add` does.
OWN_RANGE = "member:4294836224:65536"
OWNED = (
    "/etc/apptainer",
    "/etc/apt",
    "/etc/profile.d",
    "/usr/local/lib/slipway/tmpfiles.d",
    "/etc/subuid",
    "/etc/subgid",
    "/usr/local/bin",
)


@pytest.fixture(scope="module")
def node(sandbox: Sandbox) -> Sandbox:
    """The converged sandbox, with an image that all accounts can read."""
    if sandbox.cluster.vars.get("apptainer_state") == "unmanaged":
        pytest.skip("Debian 12 has no package of Apptainer, and the mirror of this sandbox has no file of it")
    sandbox.settle()
    sandbox.ask("login1", LOGIN + f"apptainer build --force --no-https {SIF} docker://{IMAGE}", "operator")
    return sandbox


# Ordinary users


@pytest.mark.parametrize("user", ["member", "guest"])
@pytest.mark.parametrize("name", NODES)
def test_a_container_runs_on_every_node_role(node: Sandbox, name: str, user: str) -> None:
    output = node.ask(name, LOGIN + f"apptainer exec {SIF} sh -c 'cat /etc/os-release; id -un'", user)
    assert INSIDE in output and output.endswith(user)


def test_an_image_of_a_registry_is_cached_on_the_storage_of_the_node(node: Sandbox) -> None:
    pull = LOGIN + f"srun apptainer exec --no-https docker://{IMAGE} cat /etc/os-release"
    assert INSIDE in node.ask("login1", pull, "guest")
    # Where the job ran, by the environment of the login node, and for nobody else to read.
    assert node.ask("compute1", f"stat -c '%a %U' {DATA}/cache/user-2002/cache") == "700 guest"
    assert node.ask("compute1", f"ls {DATA}/tmp") == ""


def test_a_build_gives_files_to_other_users(node: Sandbox) -> None:
    build = (
        f"printf '%s' '{DEFINITION}' > test.def; srun apptainer build --force --fakeroot --no-https test.sif test.def"
    )
    done = node.execute("login1", f"{LOGIN}{build}; rm -f test.def test.sif", "member")
    assert "owner=7:7" in done.stdout, done.output
    assert "Build complete" in done.output


def test_directories_are_bound(node: Sandbox) -> None:
    script = (
        "directory=$(mktemp -d -p $HOME); echo seen > $directory/in; "
        f"srun apptainer exec --bind $directory:/data {SIF} sh -c 'cat /data/in; echo written > /data/out'; "
        "cat $directory/out; rm -r $directory"
    )
    assert node.ask("login1", LOGIN + script, "member").split() == ["seen", "written"]


def test_a_job_opens_its_own_gpus_only(node: Sandbox) -> None:
    job = f"srun --nodelist=compute1 --gres=gpu:2 apptainer exec {SIF} sh -c '{OPEN_DEVICES}'"
    assert node.ask("login1", LOGIN + job, "member").split() == ["open=/dev/nvidia0", "open=/dev/nvidia1"]


def test_nothing_else_comes_from_sid(node: Sandbox) -> None:
    assert "Candidate: 1" in node.ask("compute1", "apt-cache policy apptainer")
    assert "unstable" not in node.ask("compute1", "apt-get --simulate dist-upgrade")


# What the inventory says

INPUTS = {
    "apptainer_config": {"sessiondir max size": 32, "mount hostfs": True},
    "apptainer_bind_paths": ["/etc/localtime", "/images"],
    "apptainer_singularity_link_enabled": True,
    "apptainer_subid_users": ["bin"],
    "apptainer_subid_minimum": 800000000,
    "enroot_disabled_hooks": ["99-mellanox.sh"],
}
LINES = "grep -E '^(sessiondir max size|mount hostfs|bind path)' " + CONFIGURATION
HOOK = "stat -c %a /etc/enroot/hooks.d/99-mellanox.sh"
LINK = "/usr/local/bin/singularity"
FORGET = "sed -i /^bin:/d /etc/subuid /etc/subgid; rm /var/lib/slipway/subid"


def test_every_input_takes_effect_and_goes_back(node: Sandbox) -> None:
    arguments = ("--tags", "apptainer,enroot", "--limit", "compute1")
    earlier = node.ask("compute1", LINES)
    node.converge(*arguments, **INPUTS).succeeded()
    said = node.ask("compute1", f"{LINES}; {HOOK}; {LINK} --version; tail -n 1 /etc/subuid")
    node.converge(*arguments, **INPUTS).unchanged()
    node.converge(*arguments).succeeded()
    node.alter("compute1", FORGET)
    assert said.splitlines()[:-2] == [
        "mount hostfs = yes",
        "bind path = /etc/localtime",
        "bind path = /images",
        "sessiondir max size = 32",
        "644",
    ]
    assert "apptainer version" in said and said.endswith("bin:800000000:65536")
    # A key that is not named any more stays as it is; those of the role's own inputs go back.
    binds = [line for line in earlier.splitlines() if line.startswith("bind")]
    assert [line for line in node.ask("compute1", LINES).splitlines() if line.startswith("bind")] == binds
    assert node.execute("compute1", f"{HOOK}; ls {LINK}").stdout.strip() == "755"
    node.converge(*arguments, apptainer_config={"sessiondir max size": 64, "mount hostfs": False}).succeeded()
    assert node.ask("compute1", LINES) == earlier


@pytest.mark.parametrize(
    ("variables", "path", "said"),
    [
        ({"apptainer_config": {"allow setuid": "maybe"}}, CONFIGURATION, "would not be read by apptainer: "),
        ({"enroot_config": {"ENROOT_REMAP_ROOT": "'y"}}, "/etc/enroot/enroot.conf", "would not be read by bash: "),
    ],
    ids=["apptainer", "enroot"],
)
def test_a_value_that_would_stop_every_container_is_not_written(
    node: Sandbox, variables: dict[str, dict[str, str]], path: str, said: str
) -> None:
    earlier = node.ask("compute1", f"cat {path}")
    run = node.converge("--tags", "apptainer,enroot", "--limit", "compute1", **variables).failed()
    assert f"{path} {said}" in run.failures["compute1"]
    assert node.ask("compute1", f"cat {path}") == earlier


# What was changed by hand


@dataclass(frozen=True)
class Drift:
    """Something done by hand to a path of a node."""

    name: str
    node: str
    path: str
    script: str


DRIFTS = (
    Drift("a changed key", "compute1", CONFIGURATION, "sed -i 's/^allow setuid = no/allow setuid = yes/' {path}"),
    Drift("a removed bind path", "head", CONFIGURATION, "sed -i '/^bind path = .etc.hosts/d' {path}"),
    Drift("a deleted configuration", "login1", CONFIGURATION, "rm {path}"),
    Drift("a deleted profile", "login1", PROFILE, "rm {path}"),
    Drift("a directory of a wrong mode", "compute1", f"{DATA}/cache/", "chmod 0777 {path}"),
    Drift("a link that leads elsewhere", "head", "/var/lib/slipway/apptainer", "ln -sfn /tmp {path}"),
    Drift("a deleted pin", "compute1", "/etc/apt/preferences.d/slipway-apptainer.pref", "rm {path}"),
)


@dataclass(frozen=True)
class Repair:
    """What the nodes hold before the drifts, with them, and after one run."""

    before: dict[str, snapshots.Snapshot]
    drifted: dict[str, snapshots.Snapshot]
    after: dict[str, snapshots.Snapshot]
    run: Run


def look(node: Sandbox) -> dict[str, snapshots.Snapshot]:
    roots = (*OWNED, "/var/lib/slipway", f"{DATA}/cache/", f"{DATA}/tmp/")
    return {name: snapshots.take(node, name, roots) for name in NODES}


def converge(node: Sandbox) -> Run:
    return node.converge("--tags", "apptainer", apptainer_subid_users=USERS)


@pytest.fixture(scope="module")
def repair(node: Sandbox) -> Repair:
    before = look(node)
    for drift in DRIFTS:
        node.alter(drift.node, drift.script.format(path=drift.path))
    drifted = look(node)
    run = converge(node).succeeded()
    return Repair(before, drifted, look(node), run)


@pytest.mark.parametrize("drift", DRIFTS, ids=lambda drift: drift.name)
def test_one_run_repairs(repair: Repair, drift: Drift) -> None:
    before, drifted, after = (state[drift.node] for state in (repair.before, repair.drifted, repair.after))
    assert drift.path in snapshots.difference(before, drifted), "nothing had drifted"
    left = snapshots.difference(before, after)
    assert set(left) <= {"/etc/subuid", "/etc/subgid", "/var/lib/slipway/subid"}, left


def test_a_user_without_ids_gets_the_same_range_everywhere(node: Sandbox, repair: Repair) -> None:
    for name in NODES:
        # What useradd had written stays.
        for path in ("/etc/subuid", "/etc/subgid"):
            lines = node.ask(name, f"cat {path}").splitlines()
            assert lines[-1] == RANGE and "member:165536:65536" in lines


def test_a_removed_range_comes_back_and_nothing_else_changes(node: Sandbox, repair: Repair) -> None:
    node.alter("compute1", "sed -i /^daemon/d /etc/subuid")
    run = converge(node).succeeded()
    assert {name for name, counts in run.recap.items() if counts["changed"]} == {"compute1"}
    assert look(node) == repair.after


def test_ranges_that_overlap_are_refused_naming_both_lines(node: Sandbox, repair: Repair) -> None:
    node.alter("login1", "echo guest2:165600:10 >> /etc/subgid")
    run = converge(node).failed()
    node.alter("login1", "sed -i /^guest2/d /etc/subgid")
    assert "line 2 (member:165536:65536) and line 5 (guest2:165600:10) have ids in common" in run.failures["login1"]
    assert look(node) == repair.after


# The other implementation


@pytest.fixture
def rival(node: Sandbox) -> Iterator[None]:
    """An empty package with the name of SingularityCE's on a compute node."""
    control = r"Package: singularity-ce\nVersion: 4.5.1-noble\nArchitecture: all\nMaintainer: x <x@x>\nDescription: x\n"
    make = "mkdir -p /tmp/rival/DEBIAN; cd /tmp/rival; printf '%s' > DEBIAN/control; dpkg-deb --build . /tmp/rival.deb"
    node.alter("compute1", f"{make % control}; dpkg --install /tmp/rival.deb")
    yield
    node.alter("compute1", "dpkg --purge singularity-ce; rm -r /tmp/rival /tmp/rival.deb")


@pytest.mark.case("P7")
def test_both_on_one_node_are_refused_before_any_change(node: Sandbox, rival: None) -> None:
    run = node.converge().failed()
    said = words(" ".join(run.failures.values()))
    assert "found apptainer 1." in said and "singularity-ce 4.5.1-noble" in said
    assert "apt-get purge singularity-ce" in said and "compute1" in said
    assert run.total("changed") == 0


def test_a_program_that_debian_lacks_is_refused(node: Sandbox) -> None:
    run = node.play("preflight", apptainer_mode="setuid").failed()
    assert "Debian has no package of the setuid program" in words(" ".join(run.failures.values()))


# The setuid program

STARTER = "/usr/libexec/apptainer/bin/starter-suid"


@pytest.fixture
def starter(node: Sandbox) -> Iterator[None]:
    """A package with the name of upstream's, and a program where that has its own; its bit is lost."""
    control = r"Package: apptainer-suid\nVersion: 1.5.3\nArchitecture: all\nMaintainer: x <x@x>\nDescription: x\n"
    make = (
        f"mkdir -p /tmp/suid/DEBIAN /tmp/suid{STARTER.rpartition('/')[0]}; cd /tmp/suid; printf '{control}' > DEBIAN/"
    )
    build = f"control; cp /usr/bin/true .{STARTER}; dpkg-deb --build . /tmp/suid.deb; dpkg --install /tmp/suid.deb"
    node.alter("compute1", f"{make}{build}; chmod 0755 {STARTER}")
    yield
    node.alter("compute1", "dpkg --purge apptainer-suid; rm -r /tmp/suid /tmp/suid.deb")


def test_the_setuid_program_is_kept_as_it_is_wanted(node: Sandbox, starter: None) -> None:
    run = node.converge("--tags", "apptainer", "--limit", "compute1", apptainer_mode="setuid").succeeded()
    assert run.recap["compute1"]["changed"] == 1
    assert node.ask("compute1", f"stat -c '%a %U' {STARTER}") == "4755 root"
    run = node.converge("--tags", "apptainer", "--limit", "compute1").succeeded()
    assert "Remove the program that is setuid root" in run.output
    assert node.execute("compute1", f"ls {STARTER}; dpkg-query --show apptainer-suid").stdout == ""
    node.converge("--tags", "apptainer", "--limit", "compute1").unchanged()


# Upstream's file

REPACK = """
cd $(mktemp -d) && chmod 0755 . && apt-get -qq download apptainer && dpkg-deb --raw-extract apptainer_*.deb package
sed -i 's/^Version: .*/Version: {version}/' package/DEBIAN/control
dpkg-deb -Zgzip -z1 --build package /images/{name} && rm -r $PWD
"""


@pytest.fixture
def mirror(node: Sandbox, tmp_path: Path) -> Path:
    """A mirror with Debian's package under the name and version of upstream's file."""
    version = yaml.safe_load((ROOT / "roles/apptainer/defaults/main.yml").read_text())["apptainer_version"]
    name = f"apptainer_{version}-trixie+_amd64.deb"
    node.ask("compute1", REPACK.format(version=version, name=name))
    shutil.copytree(node.mirror, tmp_path / "mirror")
    shutil.move(node.settings.state / "images" / name, tmp_path / "mirror" / name)
    return tmp_path / "mirror"


def test_upstreams_file_comes_from_the_mirror(node: Sandbox, mirror: Path) -> None:
    refused = node.play("preflight", apptainer_source="upstream").failed()
    (file,) = (path.name for path in mirror.glob("apptainer_*"))
    assert f"lacks {node.mirror}/{file}" in words(" ".join(refused.failures.values()))
    variables = {"apptainer_source": "upstream", "artifact_mirror": str(mirror), "artifacts_allow_unlocked": True}
    node.converge("--tags", "apptainer", **variables).succeeded()
    for name in NODES:
        assert file.split("_")[1].removesuffix("-trixie+") == node.ask(name, "dpkg-query -Wf '${Version}' apptainer")
        # What the distribution's own package needed is gone.
        assert node.ask(name, "ls /etc/apt/preferences.d /etc/apt/sources.list.d").count("apptainer") == 0
    assert INSIDE in node.ask("login1", LOGIN + f"srun apptainer exec {SIF} cat /etc/os-release", "guest")


# And out again


def is_below(path: str, root: str) -> bool:
    return path == root or path.startswith(f"{root}/")


def test_absent_is_as_before(node: Sandbox, before: dict[str, snapshots.Snapshot], repair: Repair) -> None:
    node.alter("head", f"echo {OWN_RANGE} >> /etc/subuid")
    run = node.converge("--tags", "apptainer", apptainer_subid_users=USERS, apptainer_state="absent").succeeded()
    assert run.total("changed") > 0
    # Their line is not ours, whatever it looks like.
    node.alter("head", f"tail -n 1 /etc/subuid | grep -x {OWN_RANGE} && sed -i /^{OWN_RANGE}$/d /etc/subuid")
    for name in NODES:
        after = snapshots.take(node, name, OWNED)
        earlier = {path: value for path, value in before[name].items() if any(is_below(path, root) for root in OWNED)}
        left = snapshots.difference(earlier, {path: value for path, value in after.items() if path[0] == "/"})
        # The other roles have files there as well.
        shared = ("/usr/local/lib/slipway/tmpfiles.d", "/etc/apt")
        assert not [path for path in left if "apptainer" in path or not path.startswith(shared)], left
        gone = "/usr/bin/apptainer /var/lib/slipway/apptainer /var/lib/slipway/subid"
        assert node.execute(name, f"ls -d {gone}").stdout == ""
    # Caches are data.
    assert node.ask("compute1", f"ls {DATA}") == "cache"
    node.ask("login1", f"rm -f {SIF}")
