"""What roles decide from a node's facts, as Ansible evaluates it; nothing is done to a node."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from ansible_collections.slipway.containers.plugins.module_utils import docker_daemon

from tests.render.platforms import FACTS, REPOSITORY, run, variable_files

pytestmark = pytest.mark.slow

TOOLKIT = "nvidia_container_toolkit"
PACKAGES = (
    "nvidia-container-toolkit",
    "nvidia-container-toolkit-base",
    "libnvidia-container-tools",
    "libnvidia-container1",
)


def artifacts_of(role: str, what: str) -> str:
    """Return by which expression the entry point artifacts of a role says what it wants."""
    tasks = yaml.safe_load((REPOSITORY / "roles" / role / "tasks/artifacts.yml").read_text())
    text = str(tasks[-1]["ansible.builtin.set_fact"][f"__{role}_{what}"])
    return "(%s)" % text.removeprefix("{{").removesuffix("}}")


EXPRESSIONS = {
    "disabled": "__enroot_apparmor_disabled",
    "load": "__enroot_apparmor_load_needed",
    "environment": "__enroot_environment",
    "needed": f"__{TOOLKIT}_needed",
    "install": f"__{TOOLKIT}_install_needed",
    "words": f"__{TOOLKIT}_words",
    "newer_kept": f"__{TOOLKIT}_newer_kept",
    "key": f"__{TOOLKIT}_key_needed",
    "artifacts": f"__{TOOLKIT}_wanted_artifacts | map(attribute='filename') | list",
    "repository": f"__{TOOLKIT}_repository_text",
    "sources": f"(__{TOOLKIT}_source_files + __docker_repository_files) | selectattr('state', 'defined')"
    " | selectattr('path', 'search', '/etc/apt/(sources|keyrings)')"
    " | items2dict(key_name='path', value_name='state')",
    "docker_install": "__docker_install_needed",
    "docker_packages": "[__docker_installation['packages'], __docker_installation['reinstall']]",
    "docker_key": "__docker_key_needed",
    "docker_artifacts": artifacts_of("docker", "artifacts") + " | map(attribute='name') | list",
    "docker_asks": artifacts_of("docker", "install"),
    "docker_settled": "__docker_settled if ansible_facts['docker'] is defined else none",
    "docker_settings": "__docker_settings",
    "docker_waits": "__docker_mount_files | map(attribute='content') | unique",
    "roots": "[__docker_data_root, __docker_containerd_root, __enroot_data_directory]",
    "containerd": "__docker_containerd_files | map(attribute='settings') | list",
    "toolkit_settings": f"__{TOOLKIT}_docker_settings if __{TOOLKIT}_docker_found else {{}}",
    "toolkit_keys_unwanted": f"__{TOOLKIT}_docker_keys_unwanted if ansible_facts['docker'] is defined else none",
    "hooks_gone": "__enroot_managed_files | selectattr('path', 'search', 'hooks.d')"
    " | selectattr('state', 'eq', 'absent') | map(attribute='path') | sort",
    "pyxis_is_here": "__pyxis_is_here",
    "enroot_install": "__enroot_install_needed",
    "apptainer_install": "__apptainer_install_needed",
    "apptainer_files": "__apptainer_files_needed | map(attribute='filename') | list",
    "apptainer_surplus": "__apptainer_surplus_packages",
    "apptainer_starter": "__apptainer_managed_files | selectattr('path', 'search', 'starter-suid')"
    " | slipway.containers.differing_files(ansible_facts | combine({'originals': []}))",
}


def node(distribution: str = "Debian", release: str = "13", **facts: Any) -> dict[str, Any]:
    """Return the facts of a node, an NVIDIA one with nothing installed unless told otherwise."""
    names = {"distribution": distribution, "distribution_version": release, "os_family": "Debian"}
    major = release.split(".", maxsplit=1)[0]
    gpu = {"vendor": "nvidia", "count": 8, "source": "pci"}
    return {**FACTS, **names, "distribution_major_version": major, "gpu": gpu, **facts}


def installed(*versions: str) -> dict[str, Any]:
    """Return package facts with these versions of the four packages."""
    pairs = zip(PACKAGES, versions, strict=True)
    return {name: [{"name": name, "version": version, "arch": "amd64"}] for name, version in pairs}


def loaded(*profiles: str, restricts: bool = False) -> dict[str, Any]:
    return {"restricts_user_namespaces": restricts, "profiles": list(profiles)}


DOCKER = ("docker.io", "docker-cli", "ca-certificates")


def runtimes(release: str) -> dict[str, Any]:
    """Return a node on which enroot, Docker and Apptainer are whole, all of one release; packages are upstream's."""
    names = ("enroot", "enroot+caps", *DOCKER, "apptainer")
    return node("Ubuntu", "24.04", packages={name: [{"name": name, "version": release}] for name in names})


OWN_DOCKER = ("docker-ce", "docker-ce-cli", "docker-buildx-plugin", "containerd.io", "ca-certificates")
DOCKER_KEY = "1500c1f56fa9e26b9b8f42452a553675796ade0807cdce11975eb98170b3a570"


def own_docker(sha256: str = "", mode: str = "0644", owner: int = 0) -> dict[str, Any]:
    """Return a node on which Docker's own packages are whole, and its key is as told."""
    entry = {"kind": "file", "sha256": sha256, "mode": mode, "owner": owner, "group_name": "root"}
    return node(
        packages={name: [{"name": name, "version": "5:29.0"}] for name in OWN_DOCKER},
        files={"/etc/apt/keyrings/slipway-docker.asc": entry} if sha256 else {},
        docker={
            "settled": True,
            "keys": {},
            "written": {"docker": []},
            "accounts": {},
            "group": {"number": 990, "members": []},
        },
    )


def docker_of_somebody() -> dict[str, Any]:
    """Return a node with a Docker that has the toolkit's keys."""
    docker = {"settled": True, "keys": {}, "written": {TOOLKIT: ["features.cdi"]}, "accounts": {}, "group": None}
    return node(packages={name: [{"name": name, "version": "26.1.5"}] for name in DOCKER}, docker=docker)


# Links, and where they lead.
HOOKS_ENABLED = "/etc/enroot/hooks.d/"
SHIPPED = "/usr/share/enroot/hooks.d/"
HOOKS = {
    **{name: SHIPPED + name for name in ("10-home.sh", "50-sharp.sh", "50-slurm-pmi.sh", "60-site.sh", "61-kept.sh")},
    "62-other-name.sh": SHIPPED + "60-site.sh",
    "63-elsewhere.sh": "/srv/63-elsewhere.sh",
}


PLUGIN = "/usr/local/lib/slipway/pyxis/0.24.0-slurm-24.11/spank_pyxis.so"


def with_plugin(mode: str, owner: int = 0) -> dict[str, Any]:
    """Return a node that has the build of pyxis that is wanted, with such a mode and owner."""
    return node(files={PLUGIN: {"kind": "file", "sha256": "0", "mode": mode, "owner": owner, "group_name": "root"}})


STARTER = "/usr/libexec/apptainer/bin/starter-suid"


def setuid(mode: str) -> dict[str, Any]:
    """Return a node with Apptainer's setuid program, in such a mode."""
    packages = {name: [{"name": name, "version": "1.5.3"}] for name in ("apptainer", "apptainer-suid")}
    entry = {"kind": "file", "sha256": "0", "mode": mode, "owner": 0, "group_name": "root"}
    return node("Ubuntu", "24.04", packages=packages, files={STARTER: entry})


KEY = "/etc/apt/keyrings/slipway-nvidia-container-toolkit.asc"
NVIDIAS_KEY = "c880576d6cf75a48e5027a871bac70fd0421ab07d2b55f30877b21f1c87959c9"
NVIDIA = {"files": {KEY: {"kind": "file", "sha256": NVIDIAS_KEY, "mode": "0644", "owner": 0, "group_name": "root"}}}
SAME = installed(*["1.20.0-1"] * 4)


def named(uri: str, suite: str, keyring: str) -> dict[str, str]:
    """Return an archive that a file of the admin names."""
    return {"uri": uri, "suite": suite, "component": "", "keyring": keyring, "file": "/etc/apt/sources.list.d/own.list"}


NVIDIAS_GUIDE = named(
    "https://nvidia.github.io/libnvidia-container/stable/deb/amd64/", "/", "/usr/share/keyrings/n.gpg"
)
DOCKERS_GUIDE = named("https://download.docker.com/linux/debian/", "trixie", "/etc/apt/keyrings/docker.asc")
OTHER_SUITE = named("https://download.docker.com/linux/debian/", "bookworm", "/etc/apt/keyrings/docker.asc")
NODES = {
    "noble": node("Ubuntu", "24.04", apparmor=loaded("snap", restricts=True)),
    "noble_loaded": node("Ubuntu", "24.04", apparmor=loaded("enroot", restricts=True)),
    "jammy": node("Ubuntu", "22.04", apparmor=loaded("man")),
    "bookworm_without": node("Debian", "12"),
    "amd": node(gpu={"vendor": "amd", "count": 4, "source": "pci"}),
    "bare": node(),
    "whole": node(packages=SAME, packages_held=list(PACKAGES), **NVIDIA),
    "open_key": node(
        packages=SAME, packages_held=list(PACKAGES), files={KEY: {**NVIDIA["files"][KEY], "mode": "0666"}}
    ),
    "guides": node(
        packages={**SAME, **{name: [{"name": name, "version": "5:29.0"}] for name in OWN_DOCKER}},
        packages_held=list(PACKAGES),
        apt_archives=[NVIDIAS_GUIDE, DOCKERS_GUIDE],
    ),
    "other_suite": node(apt_archives=[OTHER_SUITE]),
    "free": node(packages=SAME, packages_held=list(PACKAGES)[:3], **NVIDIA),
    "broken": node(packages=SAME, packages_held=list(PACKAGES), packages_broken=["libnvidia-container1"], **NVIDIA),
    "newer": node(packages=installed(*["1.21.0-1"] * 4), packages_held=list(PACKAGES), **NVIDIA),
    "older": node(packages=installed(*["1.17.7-1"] * 4), packages_held=list(PACKAGES), **NVIDIA),
    "mixed": node(packages=installed("1.20.0-1", "1.20.0-1", "1.20.0-1", "1.21.0-1"), **NVIDIA),
    "files": node(),
    "site": node(),
    "dnf": node("Rocky", "9.4", os_family="RedHat"),
    "docker_there": node(packages={name: [{"name": name, "version": "26.1.5"}] for name in DOCKER}),
    **{name: docker_of_somebody() for name in ("unmanaged", "unmanaged_told", "untold", "taken_out")},
    "runc_broken": node(
        packages={name: [{"name": name, "version": "26.1.5"}] for name in DOCKER}, packages_broken=["runc"]
    ),
    "runc_of_amazon": node(
        "Amazon",
        "2023",
        os_family="RedHat",
        packages={name: [{"name": name, "version": "25.0.8"}] for name in ("docker", "containerd")},
        packages_broken=["runc", "containerd"],
    ),
    "runc_of_others": node(
        packages={name: [{"name": name, "version": "5:29.0"}] for name in OWN_DOCKER}, packages_broken=["runc"]
    ),
    "key": own_docker(DOCKER_KEY),
    "key_gone": own_docker(),
    "key_of_a_site": own_docker("0" * 64),
    "key_open": own_docker(DOCKER_KEY, mode="0666"),
    "key_closed": own_docker(DOCKER_KEY, mode="0600"),
    "key_of_somebody": own_docker(DOCKER_KEY, owner=1000),
    "key_unwanted": own_docker(),
    "hooks": node(files={HOOKS_ENABLED + name: {"kind": "link", "target": to} for name, to in HOOKS.items()}),
    "plugin": with_plugin("0644"),
    "plugin_open": with_plugin("0666"),
    "plugin_closed": with_plugin("0600"),
    "plugin_of_somebody": with_plugin("0644", owner=1000),
    "journald": node(),
    "syslog": node(),
    "local": node(),
    "data_root": node(),
    "number": runtimes("28.1-1"),
    "setuid": setuid("4755"),
    "setuid_lost": setuid("0755"),
    "setuid_bare": node("Ubuntu", "24.04"),
    "userns": setuid("4755"),
    "singularity": node("Ubuntu", "22.04", architecture="aarch64"),
    "amazon": node("Amazon", "2023", os_family="RedHat"),
    "newer_runtimes": runtimes("99.0-1"),
    "older_runtimes": runtimes("0.9-1"),
}
# Nothing but the key is to be looked at.
SETTLED = {"artifacts_action": "fetch", "artifacts_all": False, "__docker_managed_files": [], "__docker_settings": {}}
INPUTS = {
    **{name: {**SETTLED, "docker_source": "docker"} for name in NODES if name.startswith("key")},
    "key_unwanted": SETTLED,
    **{name: {**SETTLED, "docker_source": "docker"} for name in ("guides", "other_suite")},
    "hooks": {"enroot_hooks": ["50-slurm-pmi.sh", "61-kept.sh"]},
    **{name: {"__pyxis_build": {"sha256": "0"}} for name in NODES if name.startswith("plugin")},
    "unmanaged": {**SETTLED, "docker_state": "unmanaged"},
    "unmanaged_told": {**SETTLED, "docker_state": "unmanaged", f"{TOOLKIT}_docker_enabled": True},
    "untold": {**SETTLED, f"{TOOLKIT}_docker_enabled": False},
    "taken_out": {**SETTLED, "docker_state": "absent"},
    "files": {f"{TOOLKIT}_source": "files"},
    "journald": {"docker_log_driver": "journald"},
    "syslog": {"docker_config": {"log-driver": "syslog", "log-opts": {"tag": 5}}},
    "local": {"docker_log_driver": "local", "docker_log_options": {"max-size": "20m", "max-file": 5}},
    "data_root": {"docker_config": {"data-root": "/data/docker"}},
    "number": {"docker_version": 29},
    "singularity": {"apptainer_flavor": "singularity-ce"},
    **{name: {"apptainer_mode": "setuid"} for name in NODES if name.startswith("setuid")},
    **{name: {"docker_version": "29.0"} for name in ("newer_runtimes", "older_runtimes")},
    "site": {f"{TOOLKIT}_repository_url": "https://mirror.example.org/$(ARCH)", f"{TOOLKIT}_repository_key": "KEY"},
}


def play(name: str, facts: dict[str, Any]) -> dict[str, Any]:
    """Return a play that writes what a node's facts lead to into a file."""
    distribution = facts["distribution"] if facts["os_family"] == "Debian" else "Rocky"
    answers = {key: "{{ %s }}" % expression for key, expression in EXPRESSIONS.items()}
    return {
        "name": name,
        "hosts": name,
        "connection": "local",
        "gather_facts": False,
        "vars_files": variable_files(distribution, facts["distribution_version"]),
        "tasks": [
            {"name": "Be such a node", "ansible.builtin.set_fact": {**facts, "cacheable": True}},
            {
                "name": "Decide",
                "ansible.builtin.copy": {"content": "{{ answers | to_json }}", "dest": name + ".json", "mode": "0644"},
                # Roles find their templates beside that of the role whose task it is.
                "vars": {"answers": answers, "role_path": str(REPOSITORY / "roles/artifacts"), **INPUTS.get(name, {})},
            },
        ],
    }


@pytest.fixture(scope="module")
def decided(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What each node's facts lead to, by one run of Ansible."""
    return run([play(name, facts) for name, facts in NODES.items()], tmp_path_factory.mktemp("decisions"))


Decided = dict[str, dict[str, Any]]


@pytest.mark.case("E11")
def test_apparmor_by_distribution(decided: Decided) -> None:
    found = {name: (decided[name]["load"], decided[name]["disabled"]) for name in list(NODES)[:4]}
    assert found == {
        "noble": (True, False),
        "noble_loaded": (False, False),
        "jammy": (False, True),
        "bookworm_without": (False, False),
    }


@pytest.mark.case("E10")
def test_gpus_are_hidden_where_they_are_not_nvidias(decided: Decided) -> None:
    assert decided["amd"]["environment"] == {"NVIDIA_VISIBLE_DEVICES": "void"}
    assert decided["bare"]["environment"] == {}
    assert (decided["amd"]["needed"], decided["bare"]["needed"]) == (False, True)


@pytest.mark.case("N17")
@pytest.mark.parametrize(
    ("name", "install", "version"),
    [
        ("bare", True, "1.20.0-1"),
        ("whole", False, "1.20.0-1"),
        ("free", True, "1.20.0-1"),
        ("broken", True, "1.20.0-1"),
        ("newer", False, "1.21.0-1"),
        ("older", True, "1.20.0-1"),
        ("mixed", True, "1.21.0-1"),
    ],
)
def test_all_four_at_the_newest_of_wanted_and_found(decided: Decided, name: str, install: bool, version: str) -> None:
    assert decided[name]["install"] is install
    assert decided[name]["words"] == [f"{package}={version}" for package in PACKAGES]
    assert decided[name]["newer_kept"] is (version == "1.21.0-1")


@pytest.mark.parametrize("role", ["enroot", "docker", "apptainer"])
def test_what_is_newer_on_a_node_is_kept(decided: Decided, role: str) -> None:
    assert decided["older_runtimes"][f"{role}_install"] is True
    assert decided["newer_runtimes"][f"{role}_install"] is False


def test_apptainers_setuid_program_is_there_where_it_is_wanted_only(decided: Decided) -> None:
    assert (decided["setuid"]["apptainer_surplus"], decided["setuid"]["apptainer_starter"]) == ([], [])
    (lost,) = decided["setuid_lost"]["apptainer_starter"]
    assert (lost["path"], lost["mode"]) == (STARTER, "4755")
    assert decided["userns"]["apptainer_surplus"] == ["apptainer-suid"]
    assert decided["userns"]["apptainer_starter"] == [] == decided["bare"]["apptainer_surplus"]


@pytest.mark.case("P7")
@pytest.mark.parametrize(
    ("name", "files"),
    [
        # The distribution has it, or the node.
        ("bare", []),
        ("dnf", []),
        ("userns", []),
        ("setuid", []),
        ("setuid_bare", ["apptainer_1.5.3_amd64.deb", "apptainer-suid_1.5.3_amd64.deb"]),
        ("older_runtimes", ["apptainer_1.5.3_amd64.deb"]),
        ("newer_runtimes", []),
        ("singularity", ["singularity-ce_4.5.1-jammy_arm64.deb"]),
        ("amazon", ["apptainer-1.5.3-1.x86_64.rpm"]),
    ],
)
def test_which_files_of_upstream_a_node_is_to_get(decided: Decided, name: str, files: list[str]) -> None:
    assert decided[name]["apptainer_files"] == files


def test_what_is_downloaded(decided: Decided) -> None:
    assert decided["bare"]["artifacts"] == ["nvidia-container-toolkit.asc"]
    assert decided["whole"]["artifacts"] == decided["site"]["artifacts"] == []
    assert decided["files"]["artifacts"] == [f"{package}_1.20.0-1_amd64.deb" for package in PACKAGES]


def test_nvidias_key_is_for_root_to_write(decided: Decided) -> None:
    found = decided["open_key"]
    assert (found["key"], found["install"]) == (True, False)
    assert (found["artifacts"], decided["whole"]["key"]) == (["nvidia-container-toolkit.asc"], False)


def test_where_packages_come_from(decided: Decided) -> None:
    assert "URIs: https://nvidia.github.io/libnvidia-container/stable/deb/$(ARCH)\n" in decided["bare"]["repository"]
    assert "URIs: https://mirror.example.org/$(ARCH)\n" in decided["site"]["repository"]
    assert (
        "\nbaseurl=https://nvidia.github.io/libnvidia-container/stable/rpm/$basearch\n" in decided["dnf"]["repository"]
    )
    assert decided["dnf"]["words"][0] == "nvidia-container-toolkit-1.20.0-1"


def test_an_archive_that_an_admin_names_already_is_left_to_serve(decided: Decided) -> None:
    """With another key in a file of ours apt would read none of its sources any more."""
    ours = {f"/etc/apt/sources.list.d/slipway-{name}.sources" for name in ("nvidia-container-toolkit", "docker")}
    found = decided["guides"]
    assert {found["sources"][path] for path in ours} == {"absent"}
    assert (found["key"], found["docker_key"], found["artifacts"], found["docker_artifacts"]) == (False, False, [], [])
    assert (found["install"], found["docker_install"]) == (False, False)
    assert {decided["other_suite"]["sources"][path] for path in ours} == {"file"}, "that one serves no release of ours"
    assert decided["other_suite"]["docker_key"] is True


@pytest.mark.case("P1")
def test_a_docker_that_is_there_is_still_configured_and_given_the_toolkit(decided: Decided) -> None:
    found = decided["docker_there"]
    assert (found["docker_install"], decided["bare"]["docker_install"]) == (False, True)
    assert found["docker_settings"]["data-root"] == "/scratch/slipway/docker"
    assert (found["needed"], found["install"]) == (True, True)
    assert found["toolkit_settings"]["runtimes"] == {"nvidia": {"path": "nvidia-container-runtime", "args": []}}
    tasks = yaml.safe_load((REPOSITORY / "roles/docker/tasks/main.yml").read_text())
    conditions = {task["name"]: task["when"] for task in tasks}
    keep = "Keep files, group and configuration, and see what the daemons have to be told"
    assert conditions[keep] == "docker_state == 'present' and not __docker_settled", "whatever is installed"


@pytest.mark.parametrize(
    ("name", "told", "unwanted"),
    [
        ("unmanaged", False, False),
        ("unmanaged_told", True, False),
        ("untold", False, True),
        ("taken_out", False, True),
    ],
)
def test_an_unmanaged_docker_is_told_only_where_that_is_wanted(
    decided: Decided, name: str, told: bool, unwanted: bool
) -> None:
    assert (bool(decided[name]["toolkit_settings"]), decided[name]["toolkit_keys_unwanted"]) == (told, unwanted)


def test_what_the_distributions_docker_stands_on_is_mended(decided: Decided) -> None:
    assert decided["docker_there"]["docker_packages"] == [[], False]
    assert decided["runc_broken"]["docker_packages"] == [["ca-certificates", "docker.io", "docker-cli", "runc"], True]
    assert decided["runc_of_amazon"]["docker_packages"] == [["containerd", "docker", "runc"], True]
    assert decided["runc_of_others"]["docker_install"] is False, "docker-ce brings its own"


@pytest.mark.parametrize("name", [name for name in NODES if name.startswith("key")])
def test_dockers_key_is_kept_without_a_package_being_touched(decided: Decided, name: str) -> None:
    found = decided[name]
    needed = name not in ("key", "key_unwanted")
    assert (found["docker_key"], found["docker_settled"], found["docker_install"]) == (needed, not needed, False)
    assert found["docker_artifacts"] == (["docker-key"] if needed else [])
    place = {"path": "/etc/apt/keyrings/slipway-docker.asc", "filename": "docker.asc"}
    asked = found["docker_asks"]
    told = (asked.get("repository_keys", []), asked.get("packages", []), asked.get("not_started", []))
    assert told == ([place] if needed else [], [], [])


def test_a_hook_that_is_not_wanted_any_more_is_disabled(decided: Decided) -> None:
    names = ("50-mig-config.sh", "50-sharp.sh", "50-slurm-pytorch.sh", "60-site.sh")
    assert decided["hooks"]["hooks_gone"] == [HOOKS_ENABLED + name for name in names]
    # By default two of the four that upstream ships are enabled.
    assert decided["bare"]["hooks_gone"] == [HOOKS_ENABLED + name for name in names[:2]]


def test_a_plugin_that_others_may_write_is_not_what_is_wanted(decided: Decided) -> None:
    here = {name: decided[name]["pyxis_is_here"] for name in NODES if name.startswith("plugin")}
    assert [name for name, found in here.items() if found] == ["plugin"]


@pytest.mark.case("D10", "D11")
def test_all_runtimes_follow_the_one_choice_of_storage(decided: Decided) -> None:
    below = [f"/scratch/slipway/{name}" for name in ("docker", "containerd", "enroot")]
    assert decided["bare"]["roots"] == below
    assert decided["bare"]["containerd"] == [{"root": '"/scratch/slipway/containerd"'}]
    elsewhere = [role for role in ("docker", "enroot") if "storage_candidates" in role_text(role)]
    assert elsewhere == [], "only the role storage chooses"


def test_a_data_root_of_the_inventory_is_followed(decided: Decided) -> None:
    found = decided["data_root"]
    assert found["docker_settings"]["data-root"] == found["roots"][0] == "/data/docker"
    assert "\nRequiresMountsFor=/data/docker /scratch/slipway/containerd\n" in found["docker_waits"][0]
    assert "\nRequiresMountsFor=/scratch/slipway/docker " in decided["bare"]["docker_waits"][0]


@pytest.mark.parametrize(
    ("name", "driver", "options"),
    [
        ("bare", "json-file", {"max-size": "10m", "max-file": "3"}),
        ("local", "local", {"max-size": "20m", "max-file": "5"}),
        # Null takes out what an earlier run has written.
        ("journald", "journald", {"max-size": None, "max-file": None}),
        ("syslog", "syslog", {"max-size": None, "max-file": None, "tag": "5"}),
    ],
)
def test_a_log_driver_gets_only_what_it_takes(
    decided: Decided, name: str, driver: str, options: dict[str, str | None]
) -> None:
    settings = decided[name]["docker_settings"]
    assert (settings["log-driver"], settings["log-opts"]) == (driver, options)


def test_a_version_that_yaml_reads_as_a_number(decided: Decided) -> None:
    assert decided["number"]["docker_install"] is True


@pytest.mark.case("P10")
def test_the_runtime_stands_in_dockers_file_once_beside_what_is_there(decided: Decided) -> None:
    ours = decided["docker_there"]["toolkit_settings"]
    theirs = {"runtimes": {"nvidia": {"path": "/old/nvidia-container-runtime"}, "kata": {"path": "kata"}}}
    once = docker_daemon.merge(theirs, ours)
    assert sorted(once["runtimes"]) == ["kata", "nvidia"]
    assert once["runtimes"]["nvidia"]["path"] == "nvidia-container-runtime"
    assert docker_daemon.changed_keys(once, docker_daemon.merge(once, ours)) == []


def role_text(role: str) -> str:
    """Return what a role's data and tasks say."""
    return "".join(
        path.read_text() for part in ("vars", "tasks") for path in (REPOSITORY / "roles" / role / part).glob("*.yml")
    )
