"""The configuration loader: the rules that a role relies on, stack-facts 1.1."""

from __future__ import annotations

from pathlib import Path

import pytest
from enroot_standin import config
from enroot_standin.errors import EnrootError


def load(tmp_path: Path, main: str = "", drop_ins: dict[str, str] | None = None, **given: str) -> dict[str, str]:
    (tmp_path / "enroot.conf.d").mkdir()
    (tmp_path / "enroot.conf").write_text(main)
    for name, text in (drop_ins or {}).items():
        (tmp_path / "enroot.conf.d" / name).write_text(text)
    environ = {"PATH": "/usr/bin:/bin", "HOME": "/home/member", "ENROOT_SYSCONF_PATH": str(tmp_path), **given}
    config.load(environ)
    return environ


def test_first_value_wins_from_environment_to_last_drop_in(tmp_path: Path) -> None:
    environ = load(
        tmp_path,
        "ENROOT_CACHE_PATH /main\nENROOT_DATA_PATH /main\n",
        {
            "10-a.conf": "ENROOT_DATA_PATH /ten\nENROOT_TEMP_PATH /ten\n",
            "20-b.conf": "ENROOT_TEMP_PATH /twenty\n",
        },
        ENROOT_CACHE_PATH="/environment",
    )
    assert environ["ENROOT_CACHE_PATH"] == "/environment"
    assert environ["ENROOT_DATA_PATH"] == "/main"
    assert environ["ENROOT_TEMP_PATH"] == "/ten"


def test_first_of_two_lines_in_one_file_wins(tmp_path: Path) -> None:
    assert load(tmp_path, "ENROOT_TEMP_PATH /a\nENROOT_TEMP_PATH /b\n")["ENROOT_TEMP_PATH"] == "/a"


def test_last_line_without_newline_is_dropped(tmp_path: Path) -> None:
    environ = load(tmp_path, "ENROOT_CACHE_PATH /kept\nENROOT_DATA_PATH /dropped")
    assert environ["ENROOT_CACHE_PATH"] == "/kept"
    assert environ["ENROOT_DATA_PATH"] == "/home/member/.local/share/enroot"


def test_values_are_expanded_by_the_shell(tmp_path: Path) -> None:
    environ = load(
        tmp_path,
        "ENROOT_CACHE_PATH=/cache/$(echo user)-${HOME##*/} # remark\n"
        "ENROOT_DATA_PATH '/with quotes'\n"
        "ENROOT_TEMP_PATH ${ENROOT_CACHE_PATH}/tmp\n",
    )
    assert environ["ENROOT_CACHE_PATH"] == "/cache/user-member"
    assert environ["ENROOT_DATA_PATH"] == "/with quotes"
    assert environ["ENROOT_TEMP_PATH"] == "/cache/user-member/tmp"


def test_unset_home_is_noise_and_the_default_counts(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(config, "home", lambda: "/from/passwd")
    environ = load(tmp_path, "ENROOT_DATA_PATH ${HOME}/data\nENROOT_TEMP_PATH /t\n", HOME="")
    assert environ["ENROOT_TEMP_PATH"] == "/t"
    del environ["HOME"], environ["ENROOT_DATA_PATH"]
    config.load(environ)
    assert environ["ENROOT_DATA_PATH"] == "/from/passwd/.local/share/enroot"
    assert "HOME: unbound variable" in capfd.readouterr().err


@pytest.mark.parametrize("word", ["no", "n", "N", "NO", "f", "false", "F", "FALSE"])
def test_words_for_off_unset(tmp_path: Path, word: str) -> None:
    assert "ENROOT_MOUNT_HOME" not in load(tmp_path, f"ENROOT_MOUNT_HOME {word}\n")


def test_off_is_a_value_that_wins(tmp_path: Path) -> None:
    environ = load(tmp_path, "ENROOT_MOUNT_HOME no\n", {"10-a.conf": "ENROOT_MOUNT_HOME yes\n"})
    assert "ENROOT_MOUNT_HOME" not in environ


def test_unknown_keys_and_commented_ones_are_ignored(tmp_path: Path) -> None:
    environ = load(tmp_path, "ENROT_DATA_PATH /x\n#ENROOT_DATA_PATH /y\nhttps_proxy http://proxy:3128\n")
    assert environ["ENROOT_DATA_PATH"] == "/home/member/.local/share/enroot"
    assert environ["https_proxy"] == "http://proxy:3128"
    assert "ENROT_DATA_PATH" not in environ


def test_a_file_that_bash_cannot_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EnrootError, match=r"Invalid configuration file: .*enroot\.conf"):
        load(tmp_path, "ENROOT_TEMP_PATH /tmp/(a\n")


def test_only_conf_files_of_the_directory_are_read(tmp_path: Path) -> None:
    environ = load(tmp_path, "", {"10-a.conf.bak": "ENROOT_TEMP_PATH /x\n"})
    assert environ["ENROOT_TEMP_PATH"] == "/tmp"


def test_directories_are_private_and_the_message_is_mkdirs(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    environ = {f"ENROOT_{name}_PATH": str(tmp_path / name / "user") for name in ("CACHE", "DATA", "RUNTIME")}
    config.make_directories(environ)
    assert (tmp_path / "DATA" / "user").stat().st_mode & 0o777 == 0o700
    (tmp_path / "file").write_text("")
    with pytest.raises(EnrootError):
        config.make_directories({**environ, "ENROOT_DATA_PATH": str(tmp_path / "file" / "x")})
    assert "mkdir: cannot create directory" in capfd.readouterr().err
