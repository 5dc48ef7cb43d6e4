"""The module package_files with a node's own apt, and a mirror that is being brought up to date meanwhile."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator

import pytest

from tests.sandbox.harness import PROGRAMS, ROOT, Sandbox

pytestmark = pytest.mark.sandbox

# A package, and a mirror of it over HTTP whose list does not fit its Release until MENDED has run.
MIRROR = r"""
set -e
mkdir -p /root/mirror/package/DEBIAN && cd /root/mirror
printf '%s\n' 'Package: slipway-probe' 'Version: 1' 'Architecture: all' 'Maintainer: a <a@b.c>' 'Description: none' \
  >package/DEBIAN/control
dpkg-deb --build package probe.deb >/dev/null
{ cat package/DEBIAN/control
  echo "Filename: ./probe.deb"
  echo "Size: $(stat -c %s probe.deb)"
  echo "SHA256: $(sha256sum probe.deb | cut -d' ' -f1)"; } >Packages
printf 'SHA256:\n %s %s Packages\n' "$(sha256sum Packages | cut -d' ' -f1)" "$(stat -c %s Packages)" >Release
cp Packages whole
echo >>Packages
echo 'deb [trusted=yes] http://127.0.0.1:8099 ./' >/etc/apt/sources.list.d/probe.list
systemd-run --quiet --unit=probe-mirror python3 -m http.server 8099 --bind 127.0.0.1 --directory /root/mirror
"""
MENDED = "systemd-run --quiet --on-active=8 --unit=probe-mended cp /root/mirror/whole /root/mirror/Packages"
AWAY = """
systemctl stop probe-mirror
systemctl stop probe-mended.timer 2>/dev/null
dpkg --purge slipway-probe
rm -rf /root/mirror /etc/apt/sources.list.d/probe.list /var/lib/apt/lists/127.0.0.1*
"""


@pytest.fixture
def torn(sandbox: Sandbox) -> Iterator[Sandbox]:
    sandbox.ask("login1", MIRROR)
    yield sandbox
    sandbox.execute("login1", AWAY)


@pytest.mark.case("N15")
def test_a_mirror_that_is_being_brought_up_to_date_is_given_a_while(torn: Sandbox) -> None:
    torn.ask("login1", MENDED)
    command = [str(PROGRAMS / "ansible"), "-i", "inventories/sandbox", "login1", "--one-line"]
    command += ["-m", "slipway.containers.package_files", "-a", json.dumps({"packages": ["slipway-probe"]})]
    done = subprocess.run(command, cwd=ROOT, env=torn.environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    # The mirror itself was asked again and again.
    asked = torn.ask("login1", "journalctl -u probe-mirror --output=cat | grep -c 'GET /./Packages'")
    assert torn.ask("login1", "dpkg-query --show slipway-probe").split() == ["slipway-probe", "1"]
    assert int(asked) >= 2
