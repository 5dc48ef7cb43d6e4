"""The module plugstack on real files."""

import os

import pytest
from ansible_collections.slipway.containers.plugins.module_utils import plugstack_files, plugstack_tree

PLUGIN = "/usr/local/lib/slipway/pyxis/spank_pyxis.so"
LINE = f"required {PLUGIN} runtime_path=/run/pyxis sbatch_support=1\n"


@pytest.fixture
def etc(tmp_path):
    directory = tmp_path / "etc"
    (directory / "plugstack.conf.d").mkdir(parents=True)
    return directory


@pytest.fixture
def plugstack(run_module, etc, tmp_path):
    def run(check=False, **parameters):
        given = {"plugin": PLUGIN, "arguments": {"runtime_path": "/run/pyxis", "sbatch_support": True}}
        given.update(
            path=str(etc / "plugstack.conf"), backup_directory=str(tmp_path / "backup"), **parameters
        )
        return run_module("plugstack", check=check, **given)

    return run


def files_of(directory):
    """Return everything below a directory as comparable data."""
    found = {}
    for path in sorted(directory.rglob("*")):
        found[str(path)] = (
            os.readlink(path) if path.is_symlink() else path.read_bytes() if path.is_file() else None
        )
    return found


def test_creates_and_removes_its_own_file(plugstack, etc):
    assert plugstack(check=True)["changed"] and not (etc / "plugstack.conf").exists()
    result = plugstack()
    assert result["changed"] and result["before"] == [] and result["backups"] == []
    assert (etc / "plugstack.conf").read_text() == LINE
    assert (etc / "plugstack.conf").stat().st_mode & 0o7777 == 0o644
    assert not plugstack()["changed"]
    plugstack(arguments={})
    assert plugstack(state="absent")["after"] == []
    assert not (etc / "plugstack.conf").exists()
    assert not plugstack(state="absent")["changed"]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("# c\n\trequired\t/other.so\n", "# c\n\trequired\t/other.so\n" + LINE),
        ("required /other.so", "required /other.so\n" + LINE),
        ("required /old/spank_pyxis.so # ours\nrequired /z.so\n", LINE[:-1] + " # ours\nrequired /z.so\n"),
        (LINE + "optional /x/spank_pyxis.so\n#end", LINE + "#end"),
        ("optional /x/spank_pyxis.so\n" + LINE, LINE),
        (LINE + LINE, LINE),
        (
            "# spank_pyxis.so is not here\r\nrequired /x/spank_pyxis.so\r\n",
            "# spank_pyxis.so is not here\r\n" + LINE,
        ),
        (LINE[:-1], LINE),
        (b"# caf\xe9\n", b"# caf\xe9\n" + LINE.encode()),
    ],
)
def test_main_file(plugstack, etc, before, after):
    path = etc / "plugstack.conf"
    path.write_bytes(before if isinstance(before, bytes) else before.encode())
    result = plugstack()
    assert path.read_bytes() == (after if isinstance(after, bytes) else after.encode())
    assert [item["plugin"] for item in result["after"]] == [PLUGIN]
    assert not plugstack()["changed"]
    assert plugstack(state="restored", previous=result["previous"])["changed"]
    assert path.read_bytes() == (before if isinstance(before, bytes) else before.encode())


def test_equal_in_other_spacing_is_left_alone(plugstack, etc):
    (etc / "plugstack.conf").write_text(LINE.replace(" ", "\t "))
    (etc / "plugstack.conf").chmod(0o644)
    assert not plugstack()["changed"]


@pytest.mark.parametrize("mode", [0o600, 0o664, 0o666])
def test_wrong_mode_is_repaired(plugstack, etc, mode):
    (etc / "plugstack.conf").write_text(LINE)
    (etc / "plugstack.conf").chmod(mode)
    assert plugstack()["changed"]
    assert (etc / "plugstack.conf").stat().st_mode & 0o777 == 0o644


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_wrong_owner_is_repaired_and_comes_back(plugstack, etc):
    (etc / "plugstack.conf").write_text(LINE)
    os.chown(etc / "plugstack.conf", 1000, 0)
    result = plugstack()
    assert result["changed"] and (etc / "plugstack.conf").stat().st_uid == 0
    assert not plugstack()["changed"]
    assert plugstack(state="restored", previous=result["previous"])["changed"]
    assert (etc / "plugstack.conf").stat().st_uid == 1000
    assert not plugstack(state="restored", previous=result["previous"])["changed"]


def test_vendor_registrations_are_resolved_and_come_back(plugstack, etc, tmp_path):
    vendor = tmp_path / "vendor.conf"
    vendor.write_text("required /usr/lib/spank_pyxis.so\n")
    mixed = tmp_path / "mixed.conf"
    mixed.write_text("required /usr/lib/spank_pyxis.so\nrequired /keep.so\n")
    (etc / "plugstack.conf").write_text(f"# site\ninclude plugstack.conf.d/*.conf\ninclude {vendor}\n")
    parts = etc / "plugstack.conf.d"
    (parts / "10-link.conf").symlink_to(vendor)
    (parts / "20-mixed.conf").symlink_to(mixed)
    (parts / "30-file.conf").write_text("# keep\noptional /a/spank_pyxis.so\n")
    before = files_of(tmp_path)
    result = plugstack(replace=["spank_pyxis.so"])
    assert (etc / "plugstack.conf").read_text() == "# site\ninclude plugstack.conf.d/*.conf\n" + LINE
    assert not (parts / "10-link.conf").is_symlink()
    assert (parts / "20-mixed.conf").read_text() == "required /keep.so\n"
    assert (parts / "30-file.conf").read_text() == "# keep\n"
    assert vendor.read_text() and mixed.read_text().count("\n") == 2
    assert len(result["after"]) == 1 and len(result["backups"]) == 4
    assert not plugstack()["changed"]
    plugstack(state="restored", previous=result["previous"])
    assert {path: value for path, value in files_of(tmp_path).items() if "/backup" not in path} == before


def test_backup_is_kept_once(plugstack, etc, tmp_path):
    path = etc / "plugstack.conf"
    path.write_text("required /first.so\n")
    assert plugstack()["backups"] == [f"{tmp_path}/backup{path}"]
    path.write_text("required /second.so\n")
    assert plugstack()["backups"] == []
    assert (tmp_path / f"backup{path}").read_text() == "required /first.so\n"


def test_linked_main_file_stays_a_link(plugstack, etc, tmp_path):
    real = tmp_path / "shared.conf"
    real.write_text("# shared\n")
    (etc / "plugstack.conf").symlink_to(real)
    plugstack()
    assert (etc / "plugstack.conf").is_symlink()
    assert real.read_text() == "# shared\n" + LINE


def test_absent_keeps_the_lines_of_others(plugstack, etc):
    (etc / "plugstack.conf").write_text("required /other.so\n" + LINE + "# end")
    assert plugstack(state="absent")["changed"]
    assert (etc / "plugstack.conf").read_text() == "required /other.so\n# end"


def test_check_mode_and_diff(plugstack, etc):
    (etc / "plugstack.conf").write_text("# a\n")
    result = plugstack(check=True)
    assert result["changed"] and result["after"][0]["plugin"] == PLUGIN
    assert result["diff"][0]["after"] == "# a\n" + LINE
    assert (etc / "plugstack.conf").read_text() == "# a\n"


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"arguments": {"remap_root": True}}, "does not know the argument remap_root"),
        ({"plugin": "spank_pyxis.so"}, "absolute path"),
        ({"plugin": "/a b/spank_pyxis.so"}, "a space or a #"),
        ({"state": "restored"}, "previous"),
        ({"arguments": {"importer": "/" + "x" * 5000}}, "Slurm reads 4000"),
    ],
)
def test_refusals(plugstack, etc, parameters, message):
    result = plugstack(**parameters)
    assert result["failed"] and message in result["msg"]
    assert not (etc / "plugstack.conf").exists()


def test_an_error_puts_everything_back(plugstack, etc, monkeypatch):
    (etc / "plugstack.conf").write_text("include plugstack.conf.d/*\n")
    (etc / "plugstack.conf.d" / "a").write_text("required /x/spank_pyxis.so\n")
    apply = plugstack_files.apply

    def full_disk(path, state, tree):
        if path.endswith("plugstack.conf"):
            raise OSError(28, "No space left on device")
        apply(path, state, tree)

    monkeypatch.setattr(plugstack_files, "apply", full_disk)
    result = plugstack()
    assert result["failed"] and "No space left" in result["msg"]
    assert (etc / "plugstack.conf.d" / "a").read_text() == "required /x/spank_pyxis.so\n"


def test_temporary_files_never_lie_in_an_included_directory(etc, monkeypatch):
    (etc / "plugstack.conf").write_text("include plugstack.conf.d/*\n")
    included = plugstack_files.included_directories(plugstack_tree.read_tree(str(etc / "plugstack.conf")))
    assert included == {os.path.realpath(etc / "plugstack.conf.d")}
    places = plugstack_files.temporary_directories(str(etc / "plugstack.conf.d" / "x"), included)
    assert places[0] == os.path.realpath(etc)
    (etc / "plugstack.conf").write_text("include *.conf\n")
    included = plugstack_files.included_directories(plugstack_tree.read_tree(str(etc / "plugstack.conf")))
    assert plugstack_files.temporary_directories(str(etc / "plugstack.conf"), included)[
        0
    ] == os.path.realpath(etc.parent)


def test_leftover_of_a_killed_run_goes(plugstack, etc):
    (etc / f"{plugstack_files.PREFIX}x").write_text("half")
    plugstack()
    assert sorted(path.name for path in etc.iterdir()) == ["plugstack.conf", "plugstack.conf.d"]
