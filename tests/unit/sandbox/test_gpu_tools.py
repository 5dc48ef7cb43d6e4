"""What the inventory is told about the toolkit's stand-in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cluster import gpu_tools
from cluster.settings import Settings


class Tools:
    """Stands for the builder and the repository's maker."""

    def __init__(self) -> None:
        self.calls: list[list[str]] = []

    def run(self, command: list[str]) -> None:
        self.calls.append(command)
        for word in command:
            if word.startswith("--key="):
                path = Path(word.removeprefix("--key="))
                path.parent.mkdir(parents=True)
                path.write_text("PUBLIC KEY\n")


def test_the_inventory_names_a_repository_that_the_nodes_see(tmp_path: Path) -> None:
    tools: Any = Tools()
    settings = Settings("x", None, None, tmp_path, tmp_path)
    variables = gpu_tools.prepare(tools, settings, "1.20.0~standin1")
    assert variables == {
        "nvidia_container_toolkit_version": "1.20.0~standin1",
        "nvidia_container_toolkit_source": "repository",
        "nvidia_container_toolkit_repository_url": "file:/images/apt",
        "nvidia_container_toolkit_repository_key": "PUBLIC KEY\n",
    }
    build, make = tools.calls
    assert build[-1] == "nvidia_container_toolkit"
    assert f"--packages={build[-2]}" in make and f"--output={settings.state}/images/apt" in make


def test_without_stand_ins_there_is_none() -> None:
    assert gpu_tools.unmanaged() == {"nvidia_container_toolkit_state": "unmanaged"}
