"""32 nodes that begin in the same second: the real bootstrap, a process for each node, one server that counts.

The bundle is small and its hook only says that it runs: 32 nodes with their containers do not fit on two cores, and
what is asked here is done by the bootstrap alone. Four nodes run whole hooks in test_parallelcluster.py.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from lifecycle.bootstrap import digest_of, kind
from lifecycle.bundle import archive
from lifecycle.bundle.__main__ import single_script
from lifecycle.layout import COLLECTION
from tests.lifecycle.server import serving

NODES = 32
SPREAD_SECONDS = 4.0
STARTED = 'import os\nprint("started from", os.environ["SLIPWAY_BUNDLE_DIRECTORY"])\n'
# The artifacts of a real bundle are as large.
BYTES = 3 << 20


def small_bundle(directory: Path) -> Path:
    files = {}
    contents = {"__init__.py": b"", "__main__.py": STARTED.encode()}
    for name, content in contents.items():
        path = directory / "source" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        files[str(COLLECTION / "lifecycle" / name)] = path
    artifact = directory / "source/artifact"
    artifact.write_bytes(os.urandom(BYTES))
    files["artifacts/enroot.deb"] = artifact
    return archive.write(directory / "served", files, archive.manifest(files, {kind()[1]: []}, "1", 0))


@pytest.mark.slow
@pytest.mark.case("N19")
def test_each_node_fetches_once_and_the_first_requests_are_spread(tmp_path: Path) -> None:
    bundle = small_bundle(tmp_path)
    with serving(bundle.parent, by_node=True) as server:
        url = f"http://127.0.0.1:{server.port}"
        proxy = {"http_proxy": url, "https_proxy": url, "no_proxy": "127.0.0.1"}
        processes = []
        for number in range(NODES):
            script = tmp_path / f"script-{number}"
            script.write_text(single_script(digest_of(str(bundle)), f"{url}/node-{number}/{bundle.name}"))
            environment = {
                "PATH": "/usr/bin:/bin",
                "SLIPWAY_WORK_DIRECTORY": str(tmp_path / f"node-{number}"),
                "SLIPWAY_SPREAD_SECONDS": str(SPREAD_SECONDS),
                **proxy,
            }
            command = ["bash", str(script), "on-node-configured"]
            processes.append(subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True))
        said = [process.communicate(timeout=100)[0] for process in processes]
        codes = [process.returncode for process in processes]
    assert codes == [0] * NODES, said
    assert all("started from" in text for text in said)
    clients = [request.target.split("/")[1] for request in server.served]
    assert sorted(clients) == sorted(f"node-{number}" for number in range(NODES)), "each asked once"
    assert server.refused == []
    times = sorted(request.when for request in server.served)
    assert times[-1] - times[0] > SPREAD_SECONDS / 2
    busiest = max(sum(begin <= item < begin + SPREAD_SECONDS / 8 for item in times) for begin in times)
    assert busiest < NODES / 2, f"{busiest} of {NODES} first requests in an eighth of the time"
