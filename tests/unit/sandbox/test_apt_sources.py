import pytest
from cluster import apt_sources
from cluster.apt_sources import DEBIAN_KEYRING, PUBLIC_ARCHIVE, Source, choose, parse_deb822, parse_one_line
from cluster.image_cache import parse_apt_settings
from cluster.node_image import node_sources, source_files

BOOKWORM = {"ID": "debian", "VERSION_CODENAME": "bookworm"}
ONE_LINE = """\
# a comment
deb http://mirror.example/debian bookworm main contrib  # ours
deb-src http://mirror.example/debian bookworm main
deb [arch=amd64 signed-by=/k.gpg trusted=yes] https://s.example/security bookworm-security main
#deb http://off.example/debian bookworm main
"""
DEB822 = """\
Types: deb deb-src
# a comment
URIs: http://one.example/debian http://two.example/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Enabled: no
Types: deb
URIs: http://off.example/debian
Suites: bookworm
Components: main

Types: deb
URIs: http://sec.example/debian-security
Suites: bookworm-security
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 abc=
 -----END PGP PUBLIC KEY BLOCK-----
"""


def test_one_line_entries():
    assert parse_one_line(ONE_LINE) == [
        Source("http://mirror.example/debian", ("bookworm",), ("main", "contrib")),
        Source("https://s.example/security", ("bookworm-security",), ("main",), "/k.gpg", trusted=True),
    ]


def test_deb822_entries():
    one, two, security = parse_deb822(DEB822)
    assert (one.uri, two.uri) == ("http://one.example/debian", "http://two.example/debian")
    assert one.suites == ("bookworm", "bookworm-updates")
    assert security.signed_by == ("-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nabc=\n-----END PGP PUBLIC KEY BLOCK-----")


def test_the_machines_own_mirror_is_taken():
    mirror = choose(parse_deb822(DEB822), BOOKWORM)
    assert mirror.archive.uri == "http://one.example/debian"
    assert mirror.security is not None
    assert mirror.security.uri == "http://sec.example/debian-security"


def test_a_vendors_repository_with_debians_names_is_not_the_archive():
    vendor = Source("https://vendor.example/debian", ("bookworm",), ("main",), "/etc/apt/keyrings/vendor.gpg")
    debian = Source("http://m.example/debian", ("bookworm",), ("main",))
    assert choose([vendor, debian], BOOKWORM).archive == debian


def test_without_a_security_archive_there_is_none():
    assert choose([Source("http://m.example/debian", ("stable",), ("main",))], BOOKWORM).security is None


@pytest.mark.parametrize("release", [{"ID": "ubuntu", "VERSION_CODENAME": "noble"}, {"ID": "fedora"}])
def test_elsewhere_the_public_archive_is_used(release):
    ubuntu = Source("http://archive.ubuntu.example/ubuntu", ("noble",), ("main",))
    assert choose([ubuntu], release).archive.uri == PUBLIC_ARCHIVE


def test_a_source_nodes_cannot_reach_is_passed_over():
    disk = Source("file:/srv/mirror", ("bookworm",), ("main",))
    assert choose([disk], BOOKWORM).archive.uri == PUBLIC_ARCHIVE


def test_a_list_of_mirrors_is_followed(tmp_path):
    listing = tmp_path / "debian.list"
    listing.write_text("# mirrors\nhttps://cloud.example/debian\tpriority:1\n")
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "sources.list").write_text(f"deb mirror+file://{listing} bookworm main\n")
    (tmp_path / "sources.list.d" / "ignored.list.disabled").write_text("deb http://x.example/ y main\n")
    assert [source.uri for source in apt_sources.read_machine(tmp_path)] == ["https://cloud.example/debian"]


def test_a_key_in_the_source_travels_to_the_node():
    found = node_sources(choose(parse_deb822(DEB822), BOOKWORM), "trixie")
    files = source_files(found)
    text = files.pop("etc/apt/sources.list.d/debian.sources").decode()
    (key,) = files
    assert f"Suites: trixie\nComponents: main\nSigned-By: {DEBIAN_KEYRING}\n" in text
    assert f"Suites: trixie-security\nComponents: main\nSigned-By: /{key}\n" in text
    assert files[key].startswith(b"-----BEGIN PGP")


def test_apt_settings_a_mirror_may_depend_on():
    text = "A0='http://proxy.example:3128'\nA2='false'\n"
    assert parse_apt_settings(text) == (
        'Acquire::Languages "none"',
        'Acquire::http::Proxy "http://proxy.example:3128"',
        'Acquire::Check-Valid-Until "false"',
    )
