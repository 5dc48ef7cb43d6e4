"""The SPANK plugin compiles without a warning against the headers of the Slurm at hand."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import build
import pytest

_INCLUDE = [Path(path) for path in os.environ.get("SLURM_INCLUDE_DIRS", "/usr/include").split(":")]


@pytest.mark.parametrize("include", _INCLUDE, ids=str)
def test_plugin_compiles_and_exports_only_spank_symbols(include: Path, tmp_path: Path) -> None:
    if not (include / "slurm/spank.h").is_file():
        pytest.skip(f"no Slurm headers in {include} (SLURM_INCLUDE_DIRS=DIR[:DIR...] names others)")
    source = shutil.copytree(build.HERE / "pyxis", tmp_path / "pyxis")
    subprocess.run(["make", "CFLAGS=-Werror", f"CPPFLAGS=-I{include}"], cwd=source, check=True)
    subprocess.run(["make", "install", f"DESTDIR={tmp_path}/stage", f"CPPFLAGS=-I{include}"], cwd=source, check=True)
    plugin = tmp_path / "stage/usr/local/lib/slurm/spank_pyxis.so"
    assert b"pyxis 0.24.0~standin1 (Slipway stand-in)" in plugin.read_bytes()
    assert (tmp_path / "stage/usr/local/share/pyxis/pyxis.conf").read_text() == (
        "required /usr/local/lib/slurm/spank_pyxis.so\n"
    )
    told = subprocess.run(["nm", "-D", "--defined-only", str(plugin)], stdout=subprocess.PIPE, check=True, text=True)
    names = {line.split()[-1] for line in told.stdout.splitlines()}
    assert {"plugin_name", "plugin_type", "plugin_version", "slurm_spank_init"} <= names
    assert all(name.startswith(("plugin_", "spank_", "slurm_spank_", "pyxis_version")) for name in names)
