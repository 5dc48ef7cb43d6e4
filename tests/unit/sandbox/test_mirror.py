"""What the sandbox installs."""

from __future__ import annotations

import pytest
from cluster.mirror import apptainer_state


@pytest.mark.parametrize(
    ("distribution", "name", "state"),
    [
        ("trixie", "", "present"),
        ("bookworm", "", "unmanaged"),
        ("bookworm", "apptainer_1.5.2_amd64.deb", "unmanaged"),
        ("bookworm", "apptainer_1.5.3_amd64.deb", "present"),
    ],
)
def test_debian_12_has_apptainer_where_the_mirror_has_it(tmp_path, distribution, name, state):
    if name:
        (tmp_path / name).touch()
    assert apptainer_state(tmp_path, "1.5.3", "x86_64", distribution) == state
    assert apptainer_state(None, "1.5.3", "x86_64", distribution) == "present"
