"""plugstack.conf as admins leave it, and what is wrong with it."""

import os

import pytest
from ansible_collections.slipway.containers.plugins.module_utils import plugstack, plugstack_tree


@pytest.fixture
def tree(tmp_path):
    """Write files below a directory that everybody may enter and read the tree of plugstack.conf there."""
    os.chmod(tmp_path.parent, 0o755)
    os.chmod(tmp_path.parent.parent, 0o755)
    os.chmod(tmp_path, 0o755)

    def build(**files):
        for name, text in {"plugstack.conf": "", **files}.items():
            path = tmp_path / name.replace("__", "/")
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
            path.chmod(0o644)
        return plugstack_tree.read_tree(str(tmp_path / "plugstack.conf"))

    return build


def problems(tree, configless=False):
    return [item["problem"] for item in plugstack_tree.find_problems(tree, None, configless)]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("required /a/x.so k=v", ("required", "/a/x.so", ("k=v",))),
        ("\toptional\t/a.so", ("optional", "/a.so", ())),
        ("# required /a/spank_pyxis.so", ("", "", ())),
        ("  # pyxis", ("", "", ())),
        ("", ("", "", ())),
        ("required /a.so #k=v", ("required", "/a.so", ())),
        ("required", ("invalid", "required", ())),
        ("Required /a.so", ("invalid", "Required", ("/a.so",))),
        ("include d/*", ("include", "d/*", ())),
    ],
)
def test_lines(line, expected):
    parsed = plugstack.parse(line + "\n")[0]
    assert (parsed.kind, parsed.target, parsed.arguments) == expected


def test_text_is_kept_whole():
    text = "a\r\n\n# x\nrequired /p.so"
    assert "".join(line.raw for line in plugstack.parse(text)) == text
    assert plugstack.parse("") == []


def test_includes_relative_absolute_and_nested(tree, tmp_path):
    found = tree(
        **{
            "plugstack.conf": f"include d/*.conf\ninclude {tmp_path}/one.conf\ninclude nothing/*\n",
            "d__a.conf": "required /x/spank_pyxis.so a=1 # why\n",
            "d__ignored.txt": "required /y/spank_pyxis.so\n",
            "one.conf": "include two.conf\n",
            "two.conf": "optional spank_pyxis.so\n",
        }
    )
    registrations = plugstack_tree.describe(found, [plugstack.PYXIS])
    assert [(os.path.basename(item["file"]), item["plugin"]) for item in registrations] == [
        ("a.conf", "/x/spank_pyxis.so"),
        ("two.conf", "spank_pyxis.so"),
    ]
    assert registrations[0]["arguments"] == ["a=1"]


def test_missing_file_loop_and_dangling_link(tree, tmp_path):
    assert plugstack_tree.read_tree(str(tmp_path / "none")).files == []
    (tmp_path / "gone.conf").symlink_to("/nonexistent")
    found = tree(**{"plugstack.conf": "include plugstack.conf\ninclude gone.conf\n"})
    assert "is included more than once" in problems(found)


def test_a_clean_tree_has_no_problems(tree):
    assert problems(tree(**{"plugstack.conf": "# nothing\ninclude d/*.conf\n"})) == []


def test_problems(tree, tmp_path):
    found = tree(
        **{
            "plugstack.conf": "include d/*\nrequired /no/such.so\nfoo bar\ninclude a b\nrequired /p.so \\\n",
            "d__a.conf": "optional /p/spank_pyxis.so\r\n",
            "d__sedX": "optional /q/spank_pyxis.so\n",
        }
    )
    (tmp_path / "d" / "sedX").chmod(0o600)
    text = "\n".join(problems(found))
    for expected in (
        "sedX, which does not end in .conf",
        "is not readable for ordinary users",
        "requires /no/such.so, which does not exist",
        "Slurm ignores it with an error at every command: foo",
        "only the first pattern of an include, not b",
        "no continued lines",
        "carriage return",
        "registers spank_pyxis.so again",
    ):
        assert expected in text


@pytest.mark.parametrize("mode", [0o666, 0o664, 0o646])
def test_what_others_may_write(tree, tmp_path, mode):
    found = tree(**{"plugstack.conf": f"required {tmp_path}/a.so\noptional {tmp_path}/b.so\n", "a.so": "", "b.so": ""})
    assert problems(found) == []
    for name in ("plugstack.conf", "a.so", "b.so"):
        (tmp_path / name).chmod(mode)
    told = f"others may write it (mode {mode:04o}, owner {os.geteuid()})"
    assert problems(found) == [
        f"names what slurmd loads as root, and {told}",
        f"line 1: slurmd loads {tmp_path}/a.so as root, and {told}",
        f"line 2: slurmd loads {tmp_path}/b.so as root, and {told}",
    ]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_whose_files_they_may_be(tree, tmp_path):
    found = tree(**{"plugstack.conf": f"required {tmp_path}/a.so\n", "a.so": ""})
    os.chown(tmp_path / "plugstack.conf", 64030, 0)
    os.chown(tmp_path / "a.so", 64030, 0)
    assert [problem.rpartition(" (")[2] for problem in problems(found)] == ["mode 0644, owner 64030)"] * 2
    assert plugstack_tree.find_problems(found, None, False, {0, 64030}) == []


def test_configless_does_not_hand_out_patterns(tree, tmp_path):
    relative = tree(**{"plugstack.conf": "include d/*.conf\n"})
    assert "does not hand out" in problems(relative, configless=True)[0]
    absolute = tree(**{"plugstack.conf": f"include {tmp_path}/d/*.conf\ninclude beside.conf\n"})
    assert problems(absolute, configless=True) == []


def test_closed_directory(tree, tmp_path):
    found = tree(**{"plugstack.conf": "include d/*.conf\n", "d__a.conf": ""})
    (tmp_path / "d").chmod(0o750)
    assert any("cannot enter" in problem for problem in problems(found))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            {"runtime_path": "/r", "sbatch_support": False, "use_squashfuse": True},
            ["runtime_path=/r", "sbatch_support=0", "use_squashfuse=1"],
        ),
        (["container_scope=job"], ["container_scope=job"]),
        ({}, []),
        (None, []),
    ],
)
def test_arguments(arguments, words):
    assert plugstack.judge_arguments(arguments) == (words, [])


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"remap_root": True}, "does not know the argument remap_root"),
        ({"runtime_path": "/a b"}, "a space or a #"),
        ({"runtime_path": "/a#b"}, "a space or a #"),
        ({"runtime_path": "run"}, "absolute path"),
        ({"container_scope": "node"}, "allowed are global, job"),
        ({"sbatch_support": "maybe"}, "allowed are 1, true"),
        (["sbatch_support"], "has no value"),
        (["importer=/a", "importer=/b"], "more than once"),
        ("importer=/a", "a dictionary or a list"),
        (7, "a dictionary or a list"),
    ],
)
def test_refused_arguments(arguments, problem):
    assert problem in plugstack.judge_arguments(arguments)[1][0]
