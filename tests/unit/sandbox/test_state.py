import pytest
from cluster import state
from cluster.errors import SandboxError
from cluster.state import Cluster, Node

CLUSTER = Cluster(
    name="slipway",
    distribution="trixie",
    cgroup="v1",
    network="slipway-ab12",
    nodes=(Node("head", "controller", "10.89.0.2", "abc"), Node("compute1", "compute", "10.89.0.11", "def")),
    vars={"enroot_version": "4.1.2"},
)


def test_what_is_saved_is_loaded(tmp_path):
    state.save(tmp_path, CLUSTER)
    assert state.load(tmp_path) == CLUSTER
    assert [path.name for path in tmp_path.iterdir()] == ["cluster.json"]


def test_a_sandbox_that_does_not_run_is_said_so(tmp_path):
    assert state.load(tmp_path) is None
    with pytest.raises(SandboxError, match="no sandbox is running: run `make sandbox`"):
        state.require(tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"nodes": [{}]}', '{"nodes": [], "more": 1}'])
def test_a_damaged_file_is_named(tmp_path, text):
    (tmp_path / "cluster.json").write_text(text)
    with pytest.raises(SandboxError, match=r"cluster\.json cannot be read .* run `make sandbox`"):
        state.load(tmp_path)


def test_an_unknown_node_is_answered_with_the_known_ones():
    with pytest.raises(SandboxError, match="no node is named login: this sandbox has head, compute1"):
        CLUSTER.node("login")


def test_a_secret_file_is_never_readable_for_others(tmp_path):
    state.write_atomically(tmp_path / "key", "secret", 0o600)
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
