"""What a container is started with: environment, command script, mounts, credentials."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from enroot_standin import container, image, registry


def test_environment_lines_take_the_hosts_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("COLORTERM", raising=False)
    text = "TERM=${TERM}\nCOLORTERM=${COLORTERM}\nPATH=/bin\n# remark\nA=1\nA=2\n"
    environment = container.container_environment(text, remap_root=True)
    assert environment == {"TERM": "xterm", "PATH": "/bin", "A": "2", "HOME": "/root"}


def test_command_script_runs_in_the_images_directory(tmp_path: Path) -> None:
    settings = {"WorkingDir": str(tmp_path), "Entrypoint": ["echo", "a b"], "Cmd": ["default"]}
    script = tmp_path / "rc"
    script.write_text(image.command_script("docker://x", settings))
    for arguments, expected in (([], "a b default\n"), (["given"], "a b given\n")):
        done = subprocess.run(["sh", str(script), *arguments], stdout=subprocess.PIPE, text=True, check=True)
        assert done.stdout == expected
    assert script.read_text().startswith("# enroot-provenance: docker://x\n")


@pytest.mark.parametrize(
    ("text", "user", "expected"),
    [
        ("machine nvcr.io login $oauthtoken password key\n", None, ("$oauthtoken", "key")),
        ("machine nvcr.io login a password x\nmachine nvcr.io login b password y\n", "b", ("b", "y")),
        ("machine nvcr.io login a password $(echo made)\n", None, ("a", "made")),
        ("  machine nvcr.io login a password x\n", None, None),
        ("machine nvcr.io\n  login a\n  password x\n", None, None),
        ("machine other login a password x\n", None, None),
    ],
)
def test_credentials_are_one_line_a_machine(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    text: str,
    user: str | None,
    expected: tuple[str, str] | None,
) -> None:
    (tmp_path / ".credentials").write_text(text)
    monkeypatch.setenv("ENROOT_CONFIG_PATH", str(tmp_path))
    assert registry.find_credentials("nvcr.io:443", user) == expected


def test_no_credentials_file_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENROOT_CONFIG_PATH", str(tmp_path))
    assert registry.find_credentials("nvcr.io", None) is None
