"""What dpkg, rpm and apt print, read from recorded runs."""

from __future__ import annotations

from pathlib import Path
from typing import Callable

import pytest
from ansible_collections.slipway.containers.plugins.module_utils import package_failures, packages

Recorded = Callable[[str], str]
HOLDS = "another package manager holds "
UNMET = "a dependency cannot be met: "
UNREADABLE = "apt can read none of its sources because of /etc/apt/sources.list.d/"
DOWNLOAD = "a dependency could not be downloaded: "
CAUSES = {
    "lock-frontend": HOLDS + "/var/lib/dpkg/lock-frontend: process 22118 (python3). Wait for it, or stop it",
    "lock-dpkg": HOLDS + "the dpkg database lock: process 22517. Wait for it, or stop it, then run again.",
    "lock-lists": HOLDS + "/var/lib/apt/lists/lock: process 23743 (python3).",
    "lock-archives": HOLDS + "/var/cache/apt/archives/lock: process 23802 (python3).",
    "lock-waited-then-unmet": UNMET + "needs : Depends: absent-package (>= 2) but it is not installable.",
    "unmet-missing": UNMET + "needs : Depends: absent-package (>= 2) but it is not installable.",
    "unmet-old": UNMET + "needsold : Depends: good (>= 2) but it is not going to be installed.",
    "unlocatable": "package nosuchpackage is not in the node's apt sources.",
    "archives-full": "the disk is full (You don't have enough free space in /var/cache/apt/archives/). Free space",
    "disk-full": "the disk is full (No space left on device). Free space",
    "interrupted": "dpkg was interrupted and could not be repaired: run `dpkg --configure -a` on the node.",
    "not-found-404": DOWNLOAD + "http://127.0.0.1:8765/./good_1.0_all.deb: 404 File not found",
    "file-gone": DOWNLOAD + "file:/srv/mirror/./good_1.0_all.deb: File not found",
    "connection-refused": DOWNLOAD + "http://127.0.0.1:8765/./good_1.0_all.deb: Could not connect",
    "damaged-file": "the package file /tmp/cut_1.0_all.deb is damaged.",
    "damaged-data": "the package file /tmp/cutdata_1.0_all.deb is damaged.",
    "no-such-file": "the package file /tmp/nothere.deb is not there.",
    "postinst-fails": "badpost: "
    "installed badpost package post-installation script subprocess returned error exit status 3.",
    "downgrade": "E: Packages were downgraded and -y was used without --allow-downgrades.",
    "conflict": "apt would remove good for it. Nothing is removed to install something else: settle that by hand",
    "version-gone": "the node's apt sources have no libslurm-dev of version 99*.",
    "held": "good is held at its version on the node. To have it changed run `apt-mark unhold good` there first.",
    "broken-list": UNREADABLE + "vendor.list (Malformed line 1 in source list).",
    "broken-sources": UNREADABLE + "vendor.sources (Unable to parse package file).",
    "broken-stanza": UNREADABLE + "vendor.sources (Malformed entry 1 in sources file).",
    "no-such-version": "the node's apt sources have no good of version 3.0.",
    "expired-key": "the repository file:/srv/repo is not trusted any more: The following signatures were invalid: "
    "EXPKEYSIG 29FEE28672367F3B vendor. Get its new key",
    "mirror-in-sync": "a mirror is being changed, or is damaged: http://127.0.0.1:8099/./Packages: "
    "File has unexpected size (3989 != 3988). Mirror sync in progress. Run again in some minutes, ",
    "hash-mismatch": "a mirror is being changed, or is damaged: http://127.0.0.1:8099/./jq_1.6-2.1%2bdeb12u2_amd64",
    "two-keyrings": "the repository file:/srv/repo/ is named twice in /etc/apt/sources.list.d, "
    "with different keyrings: /etc/apt/keyrings/a.gpg != /etc/apt/keyrings/b.gpg.",
}

OTHERS = "and nothing of others is removed."
DNF_CAUSES = {
    "lock-dnf": HOLDS + "the lock of the RPMDB: process 2557. Wait for it, or stop it, then run again.",
    "lock-rpm": HOLDS + "/var/lib/rpm/.rpm.lock. Wait for it",
    "lock-erase": HOLDS + "/var/lib/rpm/.rpm.lock. Wait for it",
    "disk-full": "the disk is full (At least 7MB more space needed on the /mnt/small filesystem). Free space",
    "connection-refused": "repository dead cannot be read: Curl error (7): Couldn't connect to server for http://",
    "not-found-404": "a dependency could not be downloaded: dep-1.0-1.noarch.rpm: Status code: 404 for http://",
    "file-gone": "a dependency could not be read: dep-1.0-1.noarch of repository local.",
    "unmet-missing": UNMET
    + "nothing provides absent-package >= 2 needed by needs-1.0-1.noarch, in none of the node's repositories. Enable",
    "unmet-old": UNMET + "nothing provides good >= 9 needed by needsold-1.0-1.noarch, in none",
    "conflict": "rival-1.0-1.noarch conflicts with good provided by good-1.0-1.noarch, " + OTHERS,
    "file-conflict": "file /usr/share/good/file belongs to good-1.0-1.noarch, " + OTHERS,
    "erase-needed": "pair-a = 2.0 is needed by (installed) pair-b-2.0-1.noarch, " + OTHERS,
    "unlocatable": "package nosuchpackage is not in the node's repositories. Enable one that has it: EPEL (on Rocky",
    "wrong-key": "containerd.io-1.7.0-1.el9.x86_64 is not signed with a key of "
    "file:///etc/pki/rpm-gpg/RPM-GPG-KEY-slipway-docker. Check the repository",
    "damaged-data": "the package file is damaged: good-2.0-1.noarch: Payload SHA256 ALT digest.",
    "query-cut": "the package file cut-1.0-1.noarch.rpm is damaged.",
    "query-no-such-file": "the package file /tmp/nothere.rpm is not there.",
    "badpre": "badpre: its scriptlet PREIN failed.",
    "damaged-file": "Could not open: /srv/local/cut-1.0-1.noarch.rpm",
}


@pytest.fixture
def recorded() -> Recorded:
    """Read a text as it was printed, carriage returns included."""
    return lambda name: (Path(__file__).parents[2] / "fixtures/recorded" / name).read_bytes().decode()


@pytest.mark.case("N4")
@pytest.mark.case("N15")
@pytest.mark.case("N18")
@pytest.mark.parametrize("case", CAUSES)
def test_why_apt_failed(recorded: Recorded, case: str) -> None:
    told = package_failures.explain(recorded("apt-2.6.1/%s.txt" % case), package_failures.APT_FAILURES, "apt-get")
    assert told.startswith(CAUSES[case])
    assert ".." not in told.replace("/./", "")


@pytest.mark.parametrize("case", DNF_CAUSES)
def test_why_dnf_failed(recorded: Recorded, case: str) -> None:
    text = recorded("dnf-4.14.0/%s.txt" % case)
    assert package_failures.explain(text, package_failures.DNF_FAILURES, "dnf").startswith(DNF_CAUSES[case])
    assert packages.rpm_is_locked(text) == case.startswith("lock-")
    refreshed = {"unlocatable", "unmet-missing", "unmet-old", "not-found-404", "file-gone"}
    assert packages.metadata_is_stale(text) == (case in refreshed)


def test_a_script_that_failed_after_its_package_was_installed(recorded: Recorded) -> None:
    told = packages.failed_scripts(recorded("dnf-4.14.0/badpost.txt"))
    assert told == ["badpost is installed, and its scriptlet POSTIN failed"]
    assert not packages.failed_scripts(recorded("dnf-4.14.0/installs.txt"))


@pytest.mark.case("N16")
def test_the_versions_that_apt_has(recorded: Recorded) -> None:
    assert packages.wanted_version_is_missing(recorded("apt-2.6.1/no-such-version.txt")) == "good"
    assert packages.wanted_version_is_missing(recorded("apt-2.6.1/unlocatable.txt")) == ""
    assert packages.parse_madison(recorded("apt-2.6.1/madison.txt")) == ["2.36-9+deb12u14", "2.36-9+deb12u7"]
    assert packages.parse_madison("N: Unable to locate package x\n") == []


def test_an_older_apt_that_cannot_tell_who_holds_the_lock() -> None:
    text = (
        "E: Could not get lock /var/lib/dpkg/lock-frontend - open (11: Resource temporarily unavailable)\n"
        "E: Unable to acquire the dpkg frontend lock (/var/lib/dpkg/lock-frontend), is another process using it?\n"
    )
    expected = "another package manager holds /var/lib/dpkg/lock-frontend. Wait for it, then run again."
    assert package_failures.explain(text, package_failures.APT_FAILURES, "apt-get") == expected
    assert package_failures.explain(text.splitlines()[1], package_failures.APT_FAILURES, "apt-get") == expected


@pytest.mark.parametrize(
    ("text", "told"),
    [("", "apt-get printed nothing"), ("\n\n", "apt-get printed nothing"), ("a\n{b}\n", "{b}"), ("E: {x}", "E: {x}")],
)
def test_what_nobody_has_seen_yet(text: str, told: str) -> None:
    assert package_failures.explain(text, package_failures.APT_FAILURES, "apt-get") == told


def test_when_a_refresh_of_the_lists_may_help(recorded: Recorded) -> None:
    stale = {case for case in CAUSES if packages.lists_are_stale(recorded("apt-2.6.1/%s.txt" % case))}
    unmet = {"unmet-missing", "unmet-old", "lock-waited-then-unmet"}
    changing = {"mirror-in-sync", "hash-mismatch"}
    assert {case for case in CAUSES if packages.mirror_is_changing(recorded("apt-2.6.1/%s.txt" % case))} == changing
    assert stale == unmet | {
        "hash-mismatch",
        "unlocatable",
        "expired-key",
        "not-found-404",
        "version-gone",
        "no-such-version",
    }
    assert packages.lists_are_stale("E: Package 'x' has no installation candidate")
    locked = {case for case in CAUSES if packages.apt_is_locked(recorded("apt-2.6.1/%s.txt" % case))}
    assert locked == {"lock-lists", "lock-dpkg"}


def test_installed_packages() -> None:
    text = (
        "enroot\t4.1.2-1\tamd64\tinstalled\tok\n"
        "enroot+caps\t4.1.2-1\tamd64\thalf-configured\tok\n"
        "libc6\t2.36-9\tamd64\tinstalled\tok\nlibc6\t2.36-9\ti386\tinstalled\tok\n"
        "gone\t1\tall\tconfig-files\tok\nnever\t\t\tnot-installed\tok\n"
        "half\t1\tall\tinstalled\treinstreq\n"
        "a\tb\nwarning: something\n\n"
    )
    found, broken = packages.parse_dpkg(text)
    assert sorted(found) == ["enroot", "libc6"]
    assert found["enroot"] == [{"name": "enroot", "version": "4.1.2-1", "arch": "amd64"}]
    assert [entry["arch"] for entry in found["libc6"]] == ["amd64", "i386"]
    assert broken == ["enroot+caps", "half"]
    assert packages.parse_dpkg("") == ({}, [])


def test_half_configured_as_recorded(recorded: Recorded) -> None:
    assert packages.parse_dpkg(recorded("apt-2.6.1/query-half-configured.txt")) == ({}, ["badpost"])


def test_held_packages(recorded: Recorded) -> None:
    text = recorded("apt-2.6.1/query-held.txt")
    assert packages.held_by_dpkg(text) == ["good"]
    assert packages.parse_dpkg(text)[0]["good"][0]["version"] == "1.0"
    assert packages.held_by_dpkg(text.replace("hold", "install")) == []


def test_locked_packages() -> None:
    text = "# Added lock on Sun Nov 22\nnvidia-container-toolkit-0:1.20.0-1.*\n!libnvidia-container1-0:1.17.7-1.*\n"
    names = ["libnvidia-container1", "nvidia-container-toolkit", "nvidia-container-toolkit-base"]
    assert packages.held_by_versionlock(text, names) == ["nvidia-container-toolkit"]


def test_rpm() -> None:
    text = "package enroot+caps is not installed\nenroot\t4.1.2-1.el9\tx86_64\n"
    assert packages.parse_rpm(text) == {"enroot": [{"name": "enroot", "version": "4.1.2-1.el9", "arch": "x86_64"}]}


def test_two_versions_in_the_database_of_rpm(recorded: Recorded) -> None:
    found = packages.parse_rpm(recorded("dnf-4.14.0/query-twice.txt"))
    assert [entry["version"] for entry in found["pair-a"]] == ["2.0-1", "1.0-1"]
    assert packages.listed_twice(found) == ["pair-a", "pair-b"]
    multilib = "libx\t1-1\tx86_64\nlibx\t1-1\ti686\n"
    assert packages.listed_twice(packages.parse_rpm(multilib)) == []


def test_missing_files(recorded: Recorded) -> None:
    gone = packages.missing_files(recorded("dnf-4.14.0/verify-missing.txt"))
    assert gone == ["/etc/pair-a/conf", "/usr/share/pair-b/file"]
    assert packages.missing_files(recorded("apt-2.6.1/verify-missing.txt")) == ["/usr/share/good/file"]
    text = (
        "missing     /usr/share/doc/enroot/copyright\n??5?????? c /etc/enroot/enroot.conf\n"
        "missing   c /etc/enroot/hooks.d/10 x.sh\nmissing     /root/.x (Permission denied)\n"
        "S.5....T.  c /etc/rpm\nmissing   d /usr/share/man/man1/x.gz\nmissing link\n"
    )
    assert packages.missing_files(text) == ["/etc/enroot/hooks.d/10 x.sh", "/root/.x"]


def test_the_archives_that_apt_knows(recorded: Recorded) -> None:
    keyring, site = "/usr/share/keyrings/debian-archive-keyring.gpg", "/etc/apt/sources.list.d/site.sources"
    found = packages.parse_apt_targets(recorded("apt-3.0.4/indextargets.txt"))
    assert [archive["suite"] for archive in found] == ["trixie", "trixie-security", "sid"]
    assert found[2] == {
        "uri": "http://deb.debian.org/debian/", "suite": "sid", "component": "main", "keyring": keyring, "file": site
    }  # fmt: skip
    # An older apt, and sources that name no key.
    found = packages.parse_apt_targets(recorded("apt-2.6.1/indextargets.txt"))
    assert (found[0]["suite"], found[0]["keyring"]) == ("bookworm", "")
    assert packages.parse_apt_targets("E: nothing\n") == []


DEBIANS = {"uri": "http://mirror/debian/", "suite": "trixie", "component": "main", "keyring": ""}
VENDORS = {**DEBIANS, "uri": "https://vendor/debian/", "keyring": "/etc/apt/keyrings/vendor.gpg"}
KEYED = {**DEBIANS, "uri": "http://other/", "keyring": "/usr/share/keyrings/debian-archive-keyring.gpg"}
PUBLIC = {**VENDORS, "uri": "https://deb.debian.org/debian/"}


@pytest.mark.parametrize(
    ("archives", "uri"),
    [
        ([VENDORS, DEBIANS], "http://mirror/debian/"),
        ([VENDORS, DEBIANS, KEYED], "http://other/"),
        ([DEBIANS, PUBLIC], "https://deb.debian.org/debian/"),
        ([VENDORS, {**DEBIANS, "suite": "sid"}], "https://vendor/debian/"),
        ([{**DEBIANS, "component": "stable"}], "http://deb.debian.org/debian/"),
        ([], "http://deb.debian.org/debian/"),
    ],
)
def test_the_archive_of_the_nodes_own_release(archives: list[dict[str, str]], uri: str) -> None:
    found = packages.own_archive(archives, "trixie")
    assert found["uri"] == uri
    assert found["keyring"].startswith("/")


def test_the_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "DPKG_JOURNAL", str(tmp_path / "updates"))
    assert not packages.dpkg_was_interrupted()
    (tmp_path / "updates").mkdir()
    assert not packages.dpkg_was_interrupted()
    (tmp_path / "updates/0001").touch()
    assert packages.dpkg_was_interrupted()
