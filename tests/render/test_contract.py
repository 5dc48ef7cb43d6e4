"""What each platform gets: files to download, their addresses, packages, kinds of builds, and paths on the node.

`contract/<family>-<architecture>.json` holds it for all distributions of a family, a file of its own where one differs.
`UPDATE=1 make render` writes the files anew; look at the difference before you commit it.
"""

from __future__ import annotations

import json
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
import yaml
from cluster import mirror

from tests.render.platforms import REPOSITORY, Platform, evaluate, family, golden, load, platforms

pytestmark = pytest.mark.slow

CONTRACT = Path(__file__).parent / "contract"
ARCHITECTURES = ("x86_64", "aarch64")
CASES = [(*platform, architecture) for platform in platforms() for architecture in ARCHITECTURES]
Contracts = dict[tuple[str, str, str], dict[str, Any]]


def names(platform: Platform) -> dict[str, str]:
    """Return every variable that differs by family, what is fetched, and the paths of the files that are kept."""
    found = {}
    for role in sorted((REPOSITORY / "roles").iterdir()):
        shared = load(role / "vars/main.yml")
        if platform[1] not in shared.get("__%s_distributions" % role.name, {}).get(platform[0], []):
            continue
        own = load(role / ("vars/%s.yml" % family(platform[0])))
        ends = ("catalogue", "package_arguments", "managed_files")
        *whole, files = ("__%s_%s" % (role.name, end) for end in ends)
        found.update({name: "{{ %s }}" % name for name in [*own, *whole] if name in own or name in shared})
        if files in shared:
            found[files] = "{{ %s | map(attribute='path') | sort }}" % files
    return found


@pytest.fixture(scope="module")
def contracts(tmp_path_factory: pytest.TempPathFactory) -> Contracts:
    return evaluate(names, ARCHITECTURES, tmp_path_factory.mktemp("contract"))


def places(case: tuple[str, str, str]) -> tuple[Path, Path]:
    """Return where a platform's contract may be: in a file of its own, or in its family's."""
    return CONTRACT / ("-".join(case) + ".json"), CONTRACT / ("%s-%s.json" % (family(case[0]), case[2]))


def text_of(contract: dict[str, Any]) -> str:
    return json.dumps(contract, indent=2, sort_keys=True) + "\n"


@pytest.mark.parametrize("case", CASES, ids="-".join)
def test_contract(contracts: Contracts, case: tuple[str, str, str]) -> None:
    text = text_of(contracts[case])
    own, common = places(case)
    first = next(other for other in CASES if places(other)[1] == common) == case
    assert text == golden(text, own, common, first).read_text()


@pytest.mark.case("E10")
@pytest.mark.parametrize("case", CASES, ids="-".join)
def test_a_machine_gets_no_file_of_another_kind(contracts: Contracts, case: tuple[str, str, str]) -> None:
    words = {"x86_64": ("amd64", "x86_64"), "aarch64": ("arm64", "aarch64")}
    other = words["aarch64" if case[2] == "x86_64" else "x86_64"]
    catalogues = [found for name, found in contracts[case].items() if name.endswith("_catalogue")]
    files = [entry["filename"] for catalogue in catalogues for entry in catalogue]
    assert files and [name for name in files for word in other if word in name] == []


@pytest.mark.case("I15")
@pytest.mark.parametrize("case", CASES, ids="-".join)
def test_no_unit_of_a_package_is_edited(contracts: Contracts, case: tuple[str, str, str]) -> None:
    paths = [path for name, found in contracts[case].items() if name.endswith("_managed_files") for path in found]
    assert [path for path in paths if path.startswith(("/usr/lib/systemd/", "/lib/systemd/"))] == []
    drop_ins = [path for path in paths if ".service.d/" in path or ".socket.d/" in path]
    assert all(path.startswith("/etc/systemd/system/") and "slipway" in path for path in drop_ins)


@pytest.mark.parametrize("case", CASES, ids="-".join)
def test_preflight_looks_at_every_file_that_is_kept(contracts: Contracts, case: tuple[str, str, str]) -> None:
    """Otherwise every run calls the module that keeps it; what lies on the storage is looked at by itself."""
    (play,) = yaml.safe_load((REPOSITORY / "playbooks/preflight.yml").read_text())
    asked = play["tasks"][0]["slipway.containers.node_facts"]
    paths = {path for name, found in contracts[case].items() if name.endswith("_managed_files") for path in found}
    kept = {path for path in paths if not path.startswith("/scratch/slipway")}
    seen = {
        path for path in kept for pattern in asked["files"] + asked["settings"] if PurePosixPath(path).match(pattern)
    }
    assert kept - seen == set()


@pytest.mark.parametrize("case", CASES, ids="-".join)
def test_the_sandbox_knows_the_names_of_what_is_downloaded(contracts: Contracts, case: tuple[str, str, str]) -> None:
    for component in ("enroot", "pyxis"):
        catalogue = contracts[case]["__%s_catalogue" % component]
        version = catalogue[0]["version"]
        expected = mirror.filenames(component, version, case[2], family(case[0]))
        assert [entry["filename"] for entry in catalogue] == expected


def test_every_distribution_of_the_support_table_is_here() -> None:
    assert {case[:2] for case in CASES} == {
        ("AlmaLinux", "9"),
        ("Amazon", "2023"),
        ("Debian", "12"),
        ("Debian", "13"),
        ("RedHat", "9"),
        ("Rocky", "9"),
        ("Ubuntu", "22.04"),
        ("Ubuntu", "24.04"),
    }


def test_no_contract_without_a_platform() -> None:
    known = {"-".join(case) for case in CASES} | {"%s-%s" % (family(case[0]), case[2]) for case in CASES}
    assert {path.stem for path in CONTRACT.iterdir()} <= known
