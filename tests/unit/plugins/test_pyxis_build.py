"""The module pyxis_build, with a Makefile that needs no compiler."""

import base64
import hashlib
import io
import os
import tarfile

import pytest
from ansible_collections.slipway.containers.plugins.module_utils import source_build

INSTALL = "all:\n\t@echo $(CPPFLAGS) >&2\ninstall: all\n"
INSTALL += "\tinstall -D p.so $(DESTDIR)$(prefix)/lib/slurm/spank_pyxis.so\n"


@pytest.fixture
def source(tmp_path, plugin_file):
    """Pack a source archive of (name, content) and whatever else the caller adds."""

    def pack(makefile=INSTALL, plugin=None, extra=()):
        path = tmp_path / "pyxis.tar.gz"
        members = [
            ("p/Makefile", makefile.encode()),
            ("p/p.so", plugin if plugin is not None else plugin_file()),
        ]
        with tarfile.open(path, "w:gz") as stream:
            for name, content in members:
                member = tarfile.TarInfo(name)
                member.size = len(content)
                stream.addfile(member, io.BytesIO(content))
            for member in extra:
                stream.addfile(member)
        return base64.b64encode(path.read_bytes()).decode()

    return pack


@pytest.fixture
def build(run_module, tmp_path, monkeypatch):
    headers = tmp_path / "include" / "slurm"
    headers.mkdir(parents=True)
    (headers / "spank.h").write_text("")
    (headers / "slurm_version.h").write_text("#define SLURM_VERSION_NUMBER 0x180b05\n")
    monkeypatch.setattr(os, "uname", lambda: os.uname_result(("Linux", "n", "6", "1", "x86_64")))

    def run(archive, check=False, **parameters):
        given = {"source": archive, "headers": str(tmp_path / "include")}
        given["packages_hint"] = {"slurm headers": "libslurm-dev", "compiler": ["gcc", "make"]}
        return run_module("pyxis_build", check=check, **{**given, **parameters})

    return run


def test_builds_reproducibly(build, source, plugin_file):
    assert build(source(), check=True)["sha256"] is None
    result = build(source(), series="24.11")
    assert not result["changed"] and result["slurm_version"] == "24.11.5"
    assert base64.b64decode(result["plugin"]) == plugin_file()
    assert result["sha256"] == hashlib.sha256(plugin_file()).hexdigest() == build(source())["sha256"]


@pytest.mark.parametrize(
    ("makefile", "message"),
    [
        (
            "all:\n\t@echo 'a.c:1:10: fatal error: slurm/spank.h: No such file or directory' >&2; exit 1\n",
            "install libslurm-dev",
        ),
        ("all:\n\tgcc-that-is-not-there x.c\n", "gcc-that-is-not-there"),
        ("all:\n\t@echo 'make: cc: No such file or directory' >&2; exit 1\n", "install gcc make"),
        (
            "all:\n\t@echo hm; echo 'x.c:3: error: unknown type' >&2; echo more >&2; exit 1\n",
            "x.c:3: error: unknown type",
        ),
        ("all:\ninstall:\n", "make install wrote no /usr/local/lib/slurm/spank_pyxis.so"),
    ],
)
def test_failures_leave_nothing(build, source, tmp_path, makefile, message):
    result = build(source(makefile))
    assert result["failed"] and message in result["msg"] and "plugin" not in result
    assert not list(tmp_path.glob("**/slipway-build-*"))


def test_a_bad_result_is_not_returned(build, source, plugin_file):
    assert "was built for another Slurm" in build(source(plugin=plugin_file(0x160508)))["msg"]
    assert "is truncated" in build(source(plugin=plugin_file()[:-9]))["msg"]
    assert "is for aarch64" in build(source(plugin=plugin_file(machine=183)))["msg"]


def test_time_is_bounded(build, source):
    assert "more than 1 s" in build(source("all:\n\tsleep 30\n"), timeout=1)["msg"]


def test_headers_are_judged(build, source, tmp_path):
    assert "25.05 is wanted" in build(source(), series="25.05")["msg"]
    assert "install libslurm-dev" in build(source(), headers=str(tmp_path))["msg"]
    assert "cannot be unpacked" in build("bm8gYXJjaGl2ZQ==")["msg"]


def member(name, kind=tarfile.REGTYPE, link=""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (member("/etc/x"), "written outside"),
        (member("p/../../x"), "written outside"),
        (member("p/l", tarfile.SYMTYPE, "../../x"), "leads outside"),
        (member("p/l", tarfile.SYMTYPE, "/etc"), "leads outside"),
        (member("p/l", tarfile.LNKTYPE, "../x"), "leads outside"),
        (member("p/d", tarfile.CHRTYPE), "device"),
    ],
)
def test_hostile_archives(build, source, extra, message):
    assert message in build(source(extra=[extra]))["msg"]


def test_archives_that_are_none(tmp_path):
    for content in (b"", b"<html>", b"\x1f\x8b\x08broken"):
        (tmp_path / "a").write_bytes(content)
        with pytest.raises(source_build.BadArchiveError):
            source_build.unpack(str(tmp_path / "a"), str(tmp_path))
