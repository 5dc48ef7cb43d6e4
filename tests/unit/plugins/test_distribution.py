"""What a node is, by its os-release."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible.module_utils.facts.system.distribution import Distribution
from ansible_collections.slipway.containers.plugins.module_utils import distribution


class Module:
    def run_command(self, *_: object, **__: object) -> tuple[int, str, str]:
        return 1, "", ""

    def get_bin_path(self, *_: object, **__: object) -> None:
        return None


def test_this_machine_is_what_ansible_says_that_it_is() -> None:
    found = distribution.system_facts()
    assert found.pop("architecture") == os.uname().machine
    ansible = Distribution(Module()).get_distribution_facts()
    assert found == {name: ansible[name] for name in found}
    assert found["distribution"] and found["distribution_major_version"]


# (os-release, /etc/debian_version) and name, release, version, major version, family.
RELEASES = {
    "debian": (
        'PRETTY_NAME="Debian GNU/Linux 13 (trixie)"\nVERSION_ID="13"\nVERSION_CODENAME=trixie\nID=debian\n',
        "13.1",
        ("Debian", "trixie", "13.1", "13", "Debian"),
    ),
    "debian testing": (
        'NAME="Debian GNU/Linux"\nVERSION_CODENAME=forky\nID=debian\n',
        "forky/sid",
        ("Debian", "forky", "", "", "Debian"),
    ),
    "ubuntu": (
        'NAME="Ubuntu"\nVERSION_ID="24.04"\nVERSION_CODENAME=noble\nID=ubuntu\nID_LIKE=debian\n',
        "trixie/sid",
        ("Ubuntu", "noble", "24.04", "24", "Debian"),
    ),
    "rhel": (
        'NAME="Red Hat Enterprise Linux"\nVERSION="9.4 (Plow)"\nID="rhel"\nID_LIKE="fedora"\nVERSION_ID="9.4"\n',
        "",
        ("RedHat", "", "9.4", "9", "RedHat"),
    ),
    "rocky": (
        'NAME="Rocky Linux"\nID="rocky"\nID_LIKE="rhel centos fedora"\nVERSION_ID="9.4"\n',
        "",
        ("Rocky", "", "9.4", "9", "RedHat"),
    ),
    "almalinux": (
        'NAME="AlmaLinux"\nID="almalinux"\nID_LIKE="rhel centos fedora"\nVERSION_ID="9.4"\n',
        "",
        ("AlmaLinux", "", "9.4", "9", "RedHat"),
    ),
    "amazon": (
        'NAME="Amazon Linux"\nVERSION="2023"\nID="amzn"\nID_LIKE="fedora"\nVERSION_ID="2023"\n',
        "",
        ("Amazon", "", "2023", "2023", "RedHat"),
    ),
    "another one": (
        "# A comment's quote\nNAME='Some Linux' # 'x'\nID=some\nVERSION_ID=3\nBROKEN=\"\nTWO=a b\n",
        "",
        ("Some Linux", "", "3", "3", "Some Linux"),
    ),
    "none": ("", "", ("", "", "", "", "")),
}


@pytest.mark.parametrize("name", RELEASES)
def test_a_release(name: str) -> None:
    text, debian_version, wanted = RELEASES[name]
    assert tuple(distribution.describe(distribution.parse(text), debian_version).values()) == wanted


def test_the_second_place_counts_where_the_first_is_missing(tmp_path: Path) -> None:
    (tmp_path / "second").write_text("ID=debian\n")
    assert distribution.read((str(tmp_path / "first"), str(tmp_path / "second"))) == "ID=debian"
    assert distribution.read((str(tmp_path / "first"),)) == ""
