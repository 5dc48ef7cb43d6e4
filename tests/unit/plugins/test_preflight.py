"""The judge of inputs: what is wrong, what is allowed; hostile values do no harm."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from ansible_collections.slipway.containers.plugins.filter.preflight_report import preflight_report
from ansible_collections.slipway.containers.plugins.module_utils import preflight as module
from ansible_collections.slipway.containers.plugins.module_utils import preflight_cluster, preflight_nodes
from ansible_collections.slipway.containers.plugins.module_utils.preflight_roles import Finding, Role, show
from ansible_collections.slipway.containers.plugins.module_utils.preflight_values import judge_value

OPTIONS: dict[str, Any] = {
    "enroot_state": {"type": "str", "choices": ["present", "absent", "unmanaged"], "default": "present"},
    "enroot_version": {"type": "str", "default": "4.1.2"},
    "enroot_hooks": {"type": "list", "elements": "str", "default": []},
    "enroot_config": {"type": "dict", "default": {}},
    "enroot_lock_timeout": {"type": "int", "default": 300},
    "enroot_ratio": {"type": "float"},
    "enroot_capabilities_enabled": {"type": "bool", "default": True},
    "enroot_registry_password": {"type": "str"},
    "enroot_credentials_file": {"type": "path", "no_log": True},
    "enroot_registries": {
        "type": "list",
        "elements": "dict",
        "options": {
            "host": {"type": "str", "required": True},
            "port": {"type": "int"},
            "scheme": {"type": "str", "choices": ["http", "https"]},
        },
    },
    "remove_data": {"type": "bool", "default": False},
}
DATA: dict[str, Any] = {
    "__enroot_distributions": {"Debian": ["12", "13"], "Ubuntu": ["22.04"]},
    "__enroot_packages": ["enroot", "enroot+caps"],
    "__enroot_removed_variables": [{"name": "enroot_foo", "replacement": "enroot_config", "since": "0.2.0"}],
    "__enroot_denied_versions": [{"version": "4.1.0", "reason": "containers do not start", "link": "https://i/261"}],
    "__enroot_minimum_version": {
        "version": "3.4.0",
        "reason": "reads enroot.conf.d",
        "link": "https://r/3.4.0",
    },
}
FACTS = {
    "distribution": "Debian",
    "distribution_major_version": "12",
    "distribution_version": "12.7",
    "packages": {},
}
ROLE = Role(
    "enroot",
    {"main": {"options": OPTIONS}, "remove": {"options": {"enroot_keep": {}}}},
    {"enroot_state": "present", "enroot_version": "4.1.2"},
    DATA,
)


def judge(facts: dict[str, Any] | None = None, role: Role = ROLE, **variables: Any) -> list[Finding]:
    everything = {"ansible_facts": {**FACTS, **(facts or {})}, **variables}
    return module.judge_component(role, everything, lambda value: value, role.inputs)


def only(findings: list[Finding]) -> Finding:
    assert len(findings) == 1, findings
    return findings[0]


def test_nothing_set_is_fine() -> None:
    assert judge() == []


@pytest.mark.parametrize(
    "variables",
    [
        {"enroot_state": "absent"},
        {"enroot_hooks": ["a", "b"], "enroot_config": {"ENROOT_X": 1, "Y": None}},
        {"enroot_lock_timeout": "5"},
        {"enroot_lock_timeout": 5, "enroot_ratio": 1, "enroot_capabilities_enabled": "no"},
        {"enroot_ratio": "0.5"},
        {"enroot_registries": [{"host": "r", "port": 5000, "scheme": "https"}]},
        {"enroot_version": 4},
        {"enroot_keep": 1},
        {"__enroot_internal": 1},
        {"my_enroot_x": 1, "enrootx": 2},
    ],
)
def test_good_values(variables: dict[str, Any]) -> None:
    assert judge(**variables) == []


@pytest.mark.parametrize(
    ("name", "value", "problem", "allowed"),
    [
        (
            "enroot_state",
            "presnt",
            "must be one of: present, absent, unmanaged",
            "one of: present, absent, unmanaged",
        ),
        ("enroot_version", 4.10, "read by YAML as a number with a fraction; put quotes", "text"),
        ("enroot_version", True, "read by YAML as true or false; put quotes", "text"),
        ("enroot_version", datetime.date(2024, 1, 1), "read by YAML as a date; put quotes", "text"),
        ("enroot_version", ["4.1.2"], "is a list", "text"),
        ("enroot_version", None, "has no value", "text"),
        ("enroot_hooks", "a,b", "is text", "a list, each text"),
        ("enroot_hooks", {"a": 1}, "is a dictionary", "a list"),
        ("enroot_hooks", ["a", ["b"]], "[1]: is a list", "a list"),
        ("enroot_hooks", [None], "[0]: has no value", "a list"),
        ("enroot_config", "a=b", "is text", "a dictionary"),
        ("enroot_config", ["a"], "is a list", "a dictionary"),
        ("enroot_lock_timeout", "soon", "is text", "a whole number"),
        ("enroot_lock_timeout", 1.5, "is a number with a fraction", "a whole number"),
        ("enroot_lock_timeout", True, "is true or false", "a whole number"),
        ("enroot_lock_timeout", "9" * 5000, "is text", "a whole number"),
        ("enroot_ratio", "nan", "is text", "a number"),
        ("enroot_ratio", float("nan"), "is no number", "a number"),
        ("enroot_ratio", float("inf"), "is no number", "a number"),
        ("enroot_ratio", "1e999", "is text", "a number"),
        ("enroot_capabilities_enabled", "maybe", "is text", "true or false"),
        ("enroot_capabilities_enabled", 2, "is a whole number", "true or false"),
        ("enroot_registries", [{"port": 1}], "host", "host (required)"),
        ("enroot_registries", [{"host": "r", "prot": 1}], "prot", "host (required), port, scheme"),
        ("enroot_registries", [{"host": "r", "port": "x"}], "[0].port: is text", "keys"),
        ("enroot_registries", [{"host": "r", "scheme": "ftp"}], "must be one of", "keys"),
        ("enroot_version", "4.1.2\0", "NUL", "text"),
    ],
)
def test_bad_values(name: str, value: Any, problem: str, allowed: str) -> None:
    finding = only(judge(**{name: value}))
    assert finding.variable == name
    assert problem in finding.problem
    assert allowed in finding.allowed
    assert finding.value


def test_values_of_keys() -> None:
    role = Role(
        "enroot", ROLE.entries, ROLE.defaults, {**DATA, "__enroot_settings_inputs": {"enroot_config": ["null"]}}
    )
    found = judge(role=role, enroot_config={"A": {"b": 1}, "C": None, "D": "x", "API_TOKEN": ["s3cret"]})
    assert [(finding.value, finding.problem) for finding in found] == [
        ('{"A": {"b": 1}}', "A is a dictionary"),
        ("(hidden)", "API_TOKEN is a list"),
    ]
    assert found[0].allowed == "for each key text or a number or null"


def test_required_and_not_set() -> None:
    role = Role("pyxis", {"main": {"options": {"slurm_controller": {"type": "str", "required": True}}}})
    finding = only(judge(role=role))
    assert (finding.variable, finding.problem) == ("slurm_controller", "is required and not set")
    assert judge(role=role, slurm_controller="head") == []


def test_an_unknown_name_gets_a_suggestion() -> None:
    finding = only(judge(enroot_hoks=["x"]))
    assert finding.problem == "is not an input of any role"
    assert "did you mean enroot_hooks?" in finding.allowed
    assert "did you mean" not in only(judge(enroot_zzzzqqqq=1)).allowed


def test_an_unknown_name_never_shows_its_value() -> None:
    assert "hunter2" not in repr(judge(enroot_registry_pasword="hunter2"))


def test_the_singular_of_a_component_is_its_prefix_too() -> None:
    role = Role("artifacts", {"main": {"options": {"artifact_mirror": {"type": "str"}}}})
    assert "artifact_mirror" in only(judge(role=role, artifact_miror="x")).allowed


def test_a_removed_name_names_the_new_one() -> None:
    finding = only(judge(enroot_foo=1))
    assert (finding.problem, finding.allowed) == ("was removed in 0.2.0", "use enroot_config")


def test_a_denied_version() -> None:
    finding = only(judge(enroot_version="4.1.0"))
    assert finding.problem == "is denied: containers do not start (https://i/261)"
    assert finding.value == '"4.1.0"'


def test_a_version_below_the_minimum() -> None:
    finding = only(judge(enroot_version="3.3.9"))
    assert "is too old" in finding.problem
    assert finding.allowed == "3.4.0 or newer"


@pytest.mark.parametrize(
    ("desired", "installed", "refused"),
    [
        ("4.1.2", "4.1.0-1", False),  # this run replaces it
        ("4.0.1", "4.1.0-1", True),  # it stays: nothing is downgraded
        ("4.1.2", "3.0.0-1", False),
        ("4.1.2", "4.1.2~standin1-1", False),
        ("4.1.2", "5.0.0", False),
        ("latest", "4.1.0-1", True),
        ("latest", "3.0.0-1", True),
    ],
)
def test_versions_found_on_the_node(desired: str, installed: str, refused: bool) -> None:
    found = [{"version": installed, "arch": "amd64"}]
    findings = judge({"packages": dict.fromkeys(ROLE.own("packages", []), found)}, enroot_version=desired)
    assert bool(findings) is refused
    assert all(finding.variable.endswith(" on the node") and not finding.edit for finding in findings)


def test_a_distribution_that_is_not_supported() -> None:
    finding = only(judge({"distribution": "Debian", "distribution_major_version": "11"}))
    assert finding.value == "Debian 11"
    assert finding.allowed == "Debian 12/13, Ubuntu 22.04; or enroot_state: unmanaged for this host"
    ubuntu = {"distribution": "Ubuntu", "distribution_major_version": "22"}
    assert judge({**ubuntu, "distribution_version": "22.04"}) == []
    assert only(judge({**ubuntu, "distribution_version": "22.10"})).value == "Ubuntu 22.10"
    assert "gather facts first" in only(judge({"distribution": None})).problem
    assert only(judge({"distribution": "\x1b[31mEvil\n"})).value == "[31mEvil 12"


def test_unmanaged_skips_everything() -> None:
    assert judge({"distribution": "Plan9"}, enroot_state="unmanaged", enroot_zzz=1, enroot_hooks="x") == []


def test_absent_skips_what_only_an_installation_needs() -> None:
    assert judge({"distribution": "Plan9"}, enroot_state="absent", enroot_version="4.1.0") == []


def test_all_problems_come_together() -> None:
    findings = judge({"distribution": "Plan9"}, enroot_hoks=1, enroot_foo=1, enroot_hooks="x", enroot_version="4.1.0")
    assert len(findings) == 5


def test_templates_that_fail_are_reported() -> None:
    def evaluate(_value: Any) -> Any:
        raise RuntimeError("'x' is undefined\nTraceback …\x1b[2J")

    variables = {
        "enroot_version": "{{ x }}",
        "enroot_registry_password": "hunter2 {{ x }}",
        "ansible_facts": FACTS,
    }
    first, second = module.judge_component(ROLE, variables, evaluate, ROLE.inputs)
    assert first.problem == "cannot be evaluated: 'x' is undefined Traceback … [2J"
    assert (second.problem, second.value) == ("cannot be evaluated: RuntimeError", "(hidden)")


@pytest.mark.parametrize("name", ["enroot_registry_password", "enroot_credentials_file"])
def test_secrets_are_hidden(name: str) -> None:
    findings = judge(**{name: ["hunter2"]})
    assert only(findings).value == "(hidden)"
    assert "hunter2" not in repr(findings)


def test_a_secret_in_ansibles_own_message_is_hidden() -> None:
    option = {"type": "dict", "options": {"a": {"type": "str", "choices": ["x"], "no_log": True}}}
    findings = judge_value("enroot", "enroot_login", option, {"a": "hunter2"})
    assert findings
    assert "hunter2" not in repr(findings)


HOSTILE = [
    "\x1b]0;title\x07\x1b[2J",
    "a\nb\r\nPLAY RECAP ok",
    "\u202egnp.exe",
    "x" * 100_000,
    "{{ lookup('pipe', 'id') }}",
    {"a": {"b": [1] * 10_000}},
    [[[[[[]]]]]],
    {1: 2},
    b"\xff",
    object(),
    float("nan"),
    -1,
    "",
    {("a",): 1},
]


@pytest.mark.parametrize("value", HOSTILE, ids=range(len(HOSTILE)))
@pytest.mark.parametrize("name", sorted(OPTIONS))
def test_hostile_values_do_no_harm(name: str, value: Any) -> None:
    for finding in judge(**{name: value}):
        for text in (finding.value, finding.problem, finding.allowed):
            assert text.isprintable()
            assert len(text) < 700
        if name != "enroot_registry_password":
            assert len(finding.value) <= 120


def test_a_value_that_contains_itself() -> None:
    loop: list[Any] = []
    loop.append(loop)
    assert show(loop)


def test_a_component_without_a_role() -> None:
    finding = module.unknown_component("enrot", ["enroot", "pyxis"])
    assert finding.allowed == "did you mean enroot? one of: enroot, pyxis"
    assert module.unknown_component("\x1b[2J", ["enroot"]).component.isprintable()


# The report


def problem(**change: str) -> dict[str, str]:
    return {
        "component": "enroot",
        "variable": "enroot_version",
        "value": '"4.1.0"',
        "problem": "is denied: containers do not start",
        "allowed": "any other version",
        "file": "inventories/x/group_vars/all/enroot.yml:3",
        **change,
    }


def test_the_report() -> None:
    problems: dict[str, list[dict[str, str]]] = {"compute%d" % number: [problem()] for number in range(1, 33)}
    problems["head"] = [problem(variable="", component="preflight", value="", problem="broke", allowed="", file="")]
    problems["login1"] = []
    assert preflight_report(problems) == (
        "Preflight found 2 problems on 33 hosts. Nothing was changed.\n"
        "\n"
        'enroot_version = "4.1.0": is denied: containers do not start\n'
        "  hosts:     32: compute[1-32]\n"
        "  component: enroot\n"
        "  allowed:   any other version\n"
        "  edit:      inventories/x/group_vars/all/enroot.yml:3\n"
        "\n"
        "preflight: broke\n"
        "  hosts:     head\n"
        "\n"
        "Correct what is listed and run the same command again."
    )


def test_no_problem_no_report() -> None:
    assert preflight_report({}) == ""
    assert preflight_report({"a": [], "b": []}) == ""


@pytest.mark.parametrize(
    ("variables", "refused"),
    [
        ({}, []),
        ({"enroot_state": "absent"}, ["enroot_state"]),
        ({"enroot_state": "absent", "pyxis_state": "absent"}, []),
        ({"enroot_state": "absent", "pyxis_state": "unmanaged"}, []),
        ({"enroot_state": "unmanaged"}, []),
    ],
)
def test_what_another_component_needs_must_not_be_absent(variables: dict[str, str], refused: list[str]) -> None:
    pyxis = Role("pyxis", {}, {"pyxis_state": "present"}, {"__pyxis_needs": ["enroot"]})
    found = preflight_cluster.judge_needs(pyxis, {"enroot": ROLE, "pyxis": pyxis}, variables, lambda value: value)
    assert [finding.variable for finding in found] == refused


def test_an_unmanaged_component_that_is_in_use_keeps_what_it_needs() -> None:
    data = {"__pyxis_needs": ["enroot"], "__pyxis_evidence": ["slurm", "plugstack", "registrations"]}
    pyxis = Role("pyxis", {}, {"pyxis_state": "present"}, data)
    roles = {"enroot": ROLE, "pyxis": pyxis}

    def refused(registrations: list[Any]) -> list[Finding]:
        facts = {"slurm": {"plugstack": {"registrations": registrations}}}
        states = {"enroot_state": "absent", "pyxis_state": "unmanaged", "ansible_facts": facts}
        return preflight_cluster.judge_needs(pyxis, roles, states, lambda value: value)

    assert refused([]) == []
    assert "pyxis is in use on this host (and unmanaged)" in only(refused([{"plugin": "/x.so"}])).problem


@pytest.mark.parametrize(
    ("installed", "broken", "capabilities", "why"),
    [
        (["enroot", "enroot+caps"], [], True, ""),
        (["enroot"], [], False, ""),
        (["enroot"], [], True, "enroot+caps is not installed"),
        (["enroot", "enroot+caps"], ["enroot"], True, "files of enroot are missing"),
        (["enroot", "enroot+caps"], ["dpkg"], True, ""),
    ],
)
def test_a_newer_package_that_is_not_whole(
    installed: list[str], broken: list[str], capabilities: bool, why: str
) -> None:
    role = Role(
        "enroot",
        {},
        {"enroot_version": "4.1.2"},
        {
            "__enroot_packages": ["enroot", "enroot+caps"],
            "__enroot_optional_packages": {"enroot+caps": "enroot_capabilities_enabled"},
        },
    )
    facts = {"packages": {name: [{"version": "4.2.0-1"}] for name in installed}, "packages_broken": broken}
    values = {"enroot_capabilities_enabled": capabilities}
    findings = preflight_nodes.judge_whole(role, "4.1.2", values, facts)
    if not why:
        assert findings == []
        return
    finding = only(findings)
    assert why in finding.problem and finding.value == '"4.2.0-1"'
    assert finding.allowed.startswith("enroot_version: 4.2.0 or newer; or on the node: apt-get install --reinstall enr")
    assert "or ./enroot_4.2.0-1_*.deb" in finding.allowed
    finding = only(preflight_nodes.judge_whole(role, "4.1.2", values, {**facts, "os_family": "RedHat"}))
    assert "or on the node: rpm --upgrade --replacepkgs ./enroot-4.2.0-1.*.rpm" in finding.allowed
    # The same version is mended from its own files, and an older one is replaced.
    assert preflight_nodes.judge_whole(role, "4.2.0", values, facts) == []
    assert preflight_nodes.judge_whole(role, "4.3.0", values, facts) == []


APPTAINER = Role(
    "apptainer",
    {},
    {"apptainer_version": "1.5.3", "apptainer_mode": "userns"},
    {
        "__apptainer_packages": ["apptainer", "apptainer-suid"],
        "__apptainer_optional_packages": {"apptainer-suid": "apptainer_mode=setuid"},
    },
)
DOCKER = Role(
    "docker",
    {},
    {"docker_version": "28.1.1"},
    {"__docker_packages": ["docker-ce", "docker.io"], "__docker_packages_are_alternatives": True},
)


@pytest.mark.parametrize(
    ("role", "values", "installed", "broken", "why"),
    [
        (APPTAINER, {"apptainer_mode": "userns"}, "apptainer", [], ""),
        (APPTAINER, {"apptainer_mode": "setuid"}, "apptainer", [], "apptainer-suid is not installed"),
        (DOCKER, {}, "docker-ce", [], ""),
        (DOCKER, {}, "docker.io", [], ""),
        (DOCKER, {}, "docker-ce", ["docker-ce"], "files of docker-ce are missing"),
    ],
)
def test_a_newer_package_is_whole_without_what_nobody_asked_for(
    role: Role, values: dict[str, Any], installed: str, broken: list[str], why: str
) -> None:
    facts = {"packages": {installed: [{"version": "5:99.0-1"}]}, "packages_broken": broken}
    (desired,) = [value for name, value in role.defaults.items() if name.endswith("_version")]
    findings = preflight_nodes.judge_whole(role, desired, values, facts)
    assert [why in finding.problem for finding in findings] == ([True] if why else [])
    # The epoch is of no version that a site sets, and of no file's name.
    assert all("_version: 99.0 or newer" in finding.allowed and "5:" not in finding.allowed for finding in findings)


SLURM_HERE = {"installed": True, "config": {"source": "configless", "shared": False}}


@pytest.mark.case("P8")
@pytest.mark.case("P9")
@pytest.mark.parametrize(
    ("slurm", "groups", "state_there", "refused"),
    [
        (SLURM_HERE, {"controller": ["head"]}, "present", []),
        ({"installed": False}, {"controller": ["head"]}, "present", ["Slurm on the node"]),
        (SLURM_HERE, {"controller": []}, "present", ["group controller"]),
        (SLURM_HERE, {}, "present", ["group controller"]),
        (SLURM_HERE, {"controller": ["head"]}, "unmanaged", ["pyxis_state"]),
        (SLURM_HERE, {"controller": ["head"]}, "absent", ["pyxis_state"]),
        # With a file of its own it needs nobody.
        ({**SLURM_HERE, "config": {"source": "local", "shared": False}}, {"controller": ["head"]}, "unmanaged", []),
        (
            {**SLURM_HERE, "config": {"source": "local", "shared": True}},
            {"controller": ["head"]},
            "unmanaged",
            ["pyxis_state"],
        ),
    ],
)
def test_what_a_part_of_slurm_needs_of_its_cluster(
    slurm: dict[str, Any], groups: dict[str, list[str]], state_there: str, refused: list[str]
) -> None:
    data = {"__pyxis_needs_slurm": True, "__pyxis_registrar_group": "controller"}
    pyxis = Role("pyxis", {}, {"pyxis_state": "present"}, data)
    variables = {"ansible_facts": {"slurm": slurm}, "groups": groups}
    found = preflight_cluster.judge_cluster(pyxis, variables, lambda value: value, lambda _host: state_there)
    assert [finding.variable for finding in found] == refused
    elsewhere = {**variables, "pyxis_state": "unmanaged"}
    assert preflight_cluster.judge_cluster(pyxis, elsewhere, lambda value: value, lambda _host: state_there) == []


@pytest.mark.parametrize(
    ("facts", "refused"),
    [
        ({}, []),
        ({"packages": {"podman": []}, "files": {}}, []),
        ({"packages": {"podman-docker": [{}]}}, ["package podman-docker on the node"]),
        ({"packages": {}, "files": {"/snap/bin/docker": {}}}, ["path /snap/bin/docker on the node"]),
    ],
)
def test_what_stands_in_a_components_way(facts: dict[str, object], refused: list[str]) -> None:
    conflicts = [
        {"package": "podman-docker", "reason": "is another", "remedy": "remove it"},
        {"path": "/snap/bin/docker", "reason": "is a snap", "remedy": "remove it"},
    ]
    docker = Role("docker", {}, {"docker_state": "absent"}, {"__docker_conflicts": conflicts})
    found = preflight_nodes.judge_conflicts(docker, facts)
    assert [finding.variable for finding in found] == refused
    assert all(finding.allowed == "remove it" for finding in found)
    # It is absent, and so nothing is in its way.
    assert not module.judge_component(docker, {"ansible_facts": facts}, lambda value: value, set())
