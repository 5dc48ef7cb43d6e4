from __future__ import annotations

import pytest
from cluster import stack

from validate.probing import CONTAINER_START


@pytest.mark.parametrize(("nodes", "cores", "seconds"), [(2, 2, 120), (3, 64, 120), (32, 2, 256), (32, 16, 120)])
def test_containers_may_start_the_later_the_more_nodes_share_a_core(nodes: int, cores: int, seconds: int) -> None:
    assert stack.container_start(nodes, cores) == seconds
    assert stack.USUAL_START == CONTAINER_START
