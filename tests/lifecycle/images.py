"""What a platform's image brings of enroot and pyxis, put on nodes by hand."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path

from tests.lifecycle.harness import Nodes

INSTALL = "DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install /root/enroot*.deb >/dev/null"
# ParallelCluster has examples and nothing enabled; those of enroot keep images in memory and on the root disk.
EXAMPLES = """cd /opt/parallelcluster/examples
echo 'ENROOT_DATA_PATH /run/enroot/data/user-$(id -u)' > enroot/enroot.conf
echo 'include /opt/slurm/etc/plugstack.conf.d/*' > spank/plugstack.conf
echo 'required /usr/local/lib/slurm/spank_pyxis.so runtime_path=/run/pyxis' > pyxis/pyxis.conf
cp pyxis/pyxis.conf /usr/local/share/pyxis/"""


def bring_enroot(made: Nodes, node: str) -> None:
    """Install enroot's packages, as they come."""
    container = made.sandbox.cluster.node(node).id
    for package in made.sandbox.mirror.glob("enroot*_amd64.deb"):
        made.sandbox.podman("cp", str(package), f"{container}:/root/")
    made.sandbox.alter(node, INSTALL)


def bring_pyxis(made: Nodes, node: str, path: str) -> None:
    """Have a plugin for the Slurm that runs lie at a path; nothing registers it."""
    (plugin,) = (made.settings.state / "plugins").glob("spank_pyxis-*.so")
    made.sandbox.podman("cp", str(plugin), f"{made.sandbox.cluster.node(node).id}:/root/spank_pyxis.so")
    made.sandbox.alter(node, f"install -D -m 0644 /root/spank_pyxis.so {path}")


def rename_plugin(made: Nodes, version: str) -> Path:
    """Return a directory with the plugin under the name of another version of pyxis."""
    (plugin,) = (made.settings.state / "plugins").glob("spank_pyxis-*.so")
    directory = made.settings.state / "plugins" / version
    directory.mkdir(exist_ok=True)
    path = directory / plugin.name.replace(made.sandbox.version("pyxis"), version)
    path.write_bytes(plugin.read_bytes())
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    path.with_name(f"{path.name}.sha256").write_text(f"{digest}  {path.name}\n")
    return directory


def bring_examples(made: Nodes, node: str) -> None:
    """Have all of it as ParallelCluster's images from 3.11.1 on: installed, and disabled."""
    bring_enroot(made, node)
    bring_pyxis(made, node, "/usr/local/lib/slurm/spank_pyxis.so")
    places = "/opt/parallelcluster/examples/{enroot,spank,pyxis} /usr/local/share/pyxis"
    made.sandbox.alter(node, f"mkdir -p {places}\n{EXAMPLES}")


def carry_packages(made: Nodes, complete: str, bare: str) -> Path:
    """Return a repository of the packages that a complete node has and a bare one lacks, but for the artifacts."""
    # Held packages are "hi".
    ask = "dpkg-query --show --showformat '${db:Status-Abbrev}${Package}=${Version}\\n' | grep ^.i | cut -c4-"
    lacking = set(made.sandbox.ask(complete, ask).split()) - set(made.sandbox.ask(bare, ask).split())
    wanted = sorted(name for name in lacking if not name.startswith(("enroot=", "enroot+caps=")))
    fetch = "rm -rf /root/carried; mkdir /root/carried; cd /root/carried; apt-get -qq download"
    made.sandbox.alter(complete, f"{fetch} {' '.join(wanted)} 2>/dev/null")
    directory = made.settings.state / "packages"
    shutil.rmtree(directory, ignore_errors=True)
    made.sandbox.podman("cp", f"{made.sandbox.cluster.node(complete).id}:/root/carried", str(directory))
    scan = ["dpkg-scanpackages", "--multiversion", "."]
    listing = subprocess.run(scan, cwd=directory, capture_output=True, check=True).stdout
    (directory / "Packages").write_bytes(listing)
    return directory
