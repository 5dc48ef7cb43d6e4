"""Which mounts may hold image data, told from mountinfo."""

from __future__ import annotations

import json
import os

import pytest
from ansible_collections.slipway.containers.plugins.module_utils import mounts
from ansible_collections.slipway.containers.plugins.module_utils.mounts import Space

# A node of a cloud cluster: initramfs first (its lines come before the root's), scratch on NVMe, everything else unfit.
NODE = r"""
22 28 0:21 / /sys rw,nosuid,nodev,noexec,relatime shared:7 - sysfs sysfs rw
26 28 0:25 / /run rw,nosuid,nodev shared:12 - tmpfs tmpfs rw,size=6589068k,mode=755,inode64
28 1 259:2 / / rw,relatime shared:1 - ext4 /dev/root rw,discard,errors=remount-ro
31 28 0:27 / /tmp rw,nosuid,nodev - tmpfs tmpfs rw
40 28 259:4 / /scratch rw,nosuid,nodev,relatime shared:40 master:2 - xfs /dev/md127 rw,attr2,inode64,sunit=1024,noquota
41 28 259:5 / /data\040disk\0111\012x\134y rw - ext4 /dev/sdb rw
42 28 0:50 / /fsx rw,relatime - lustre 10.0.1.2@tcp:/abc rw,flock,lazystatfs
43 28 0:51 / /home rw,relatime - nfs4 10.0.1.3:/home rw,vers=4.2,hard
44 28 0:52 / /net rw,relatime - autofs /etc/auto.net rw,fd=6,pgrp=1,timeout=300
45 28 259:6 / /frozen ro,relatime - ext4 /dev/sdc rw
46 28 259:7 / /readonly rw,relatime - ext4 /dev/sdd ro
47 28 259:8 / /plain rw,noexec - xfs /dev/sde rw
48 28 259:2 /srv/images /images rw,relatime - ext4 /dev/root rw
49 28 0:60 /subvolume /btrfs rw,relatime - btrfs /dev/sdf rw,space_cache=v2,subvolid=256,subvol=/subvolume
50 28 0:61 / /s3 rw,nosuid,nodev - fuse.mountpoint-s3 mountpoint-s3 rw,user_id=0
51 28 0:62 / /layers rw - overlay overlay rw,lowerdir=/a:/b,upperdir=/c,workdir=/d
52 28 259:9 / /boot/efi rw - vfat /dev/nvme0n1p15 rw,fmask=0077
"""


def reason(path: str, text: str = NODE) -> str:
    return mounts.mount_reason(path, mounts.parse_mountinfo(text).get(path))


@pytest.mark.parametrize("path", ["/", "/scratch", "/images", "/btrfs", "/data disk\t1\nx\\y"])
def test_fit(path: str) -> None:
    assert reason(path) == ""


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("/opt/dlami/nvme", "nothing is mounted there"),
        ("/scratch/below", "nothing is mounted there"),
        ("/fsx", "lustre is shared"),
        ("/home", "nfs4 is shared"),
        ("/net", "autofs is shared"),
        ("/s3", "fuse.mountpoint-s3 is shared"),
        ("/tmp", "tmpfs is shared, in memory"),
        ("/layers", "overlay is shared, in memory, layered"),
        ("/boot/efi", "vfat is shared, in memory, layered or without what image layers need"),
        ("/frozen", "mounted ro"),
        ("/readonly", "mounted ro"),
        ("/plain", "mounted noexec"),
    ],
)
def test_unfit(path: str, why: str) -> None:
    assert reason(path).startswith(why)


def test_of_several_mounts_on_a_point_the_last_is_seen() -> None:
    stacked = NODE + "60 40 0:70 / /scratch rw - tmpfs tmpfs rw\n61 44 259:11 / /net rw - xfs /dev/sdz rw\n"
    assert reason("/scratch", stacked).startswith("tmpfs")
    assert reason("/net", stacked) == ""


def test_what_another_mount_hides_is_not_there() -> None:
    below = "60 28 259:11 / /mnt/nvme rw - xfs /dev/sdz rw\n"
    above = "61 28 0:71 / /mnt rw - tmpfs tmpfs rw\n"
    assert reason("/mnt/nvme", NODE + below) == ""
    assert reason("/mnt/nvme", NODE + below + above) == "nothing is mounted there"
    assert reason("/mnt/nvme", NODE + above + below.replace(" 28 ", " 61 ")) == ""
    # Moved there with its parent (switch_root does that): the parent's line comes later, and hides nothing.
    assert reason("/mnt/nvme", NODE + below.replace(" 28 ", " 61 ") + above) == ""
    assert reason("/mntnvme", NODE + below.replace("/mnt/nvme", "/mntnvme") + above) == ""


def test_a_container_has_only_an_overlay_to_fall_back_on() -> None:
    text = "900 800 0:152 / / rw,relatime - overlay overlay rw,lowerdir=/l:/m,upperdir=/u,workdir=/w\n"
    assert reason("/", text) == ""
    assert reason("/", text.replace("- overlay", "- tmpfs")).startswith("tmpfs")


@pytest.mark.parametrize("text", ["", "\n", "garbage", "1 2 3 - 4", "28 1 259:2 / / rw,relatime shared:1", "\0 - \0"])
def test_garbage(text: str) -> None:
    assert mounts.parse_mountinfo(text) == {}


def test_parents_that_go_in_a_circle_end() -> None:
    text = "1 2 0:1 / /a/b rw - xfs x rw\n2 1 0:2 / /a rw - xfs x rw\n"
    assert sorted(mounts.parse_mountinfo(text)) == ["/a", "/a/b"]


def test_what_holds_a_directory() -> None:
    found = mounts.parse_mountinfo(NODE)
    for path, point in (("/var/lib/x", "/"), ("/scratch/a/b", "/scratch"), ("/scratchy", "/"), ("/", "/")):
        mount = mounts.holder(path, found)
        assert mount is not None
        assert mount.point == point
    assert mounts.holder("/a", {}) is None


@pytest.mark.parametrize(
    ("space", "why"),
    [
        (Space(10 * 2**30, 100), ""),
        (Space(10 * 2**30, None), ""),
        (Space(10 * 2**30 - 1, 100), "10.0 GiB free, 10.0 wanted"),
        (Space(2**30, 1), "1.0 GiB free, 10.0 wanted"),
        (Space(10 * 2**30, 99), "99 inodes free, 100 wanted"),
    ],
)
def test_room(space: Space, why: str) -> None:
    assert mounts.space_reason(space, 10 * 2**30, 100) == why


def node(text: str = NODE) -> mounts.Node:
    """Return what is known on the control node of one with these mounts, by way of its facts."""
    return mounts.surveyed(json.loads(json.dumps(mounts.survey(mounts.parse_mountinfo(text)))))


@pytest.fixture(autouse=True)
def room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mounts, "measure", lambda _path: Space(2**40, 10**6))


def test_a_filesystem_without_inodes(monkeypatch: pytest.MonkeyPatch) -> None:
    class Btrfs:
        f_bavail, f_frsize, f_files, f_favail = 10, 4096, 0, 0

    monkeypatch.undo()
    monkeypatch.setattr(os, "statvfs", lambda _path: Btrfs)
    judgement = mounts.judge("/btrfs/", node(), 40960, 100000)
    assert (judgement.reason, judgement.space) == ("", Space(40960, None))


def test_a_mount_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    def stale(_path: str) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(mounts, "measure", stale)
    judgement = mounts.judge("/scratch", node(), 0, 0)
    assert (judgement.reason, judgement.space) == ("Input/output error", None)


def test_what_is_unfit_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(mounts, "measure", lambda path: asked.append(path) or Space(0, 0))
    node()
    assert {"/", "/scratch", "/btrfs"} < set(asked)
    assert not {"/fsx", "/home", "/net", "/s3", "/tmp"} & set(asked)


def test_the_root_is_judged_by_what_holds_the_directory() -> None:
    text = NODE + "60 28 259:12 / /var rw,noexec - xfs /dev/sdy rw\n"
    assert mounts.judge("/", node(text), 0, 0).reason == "mounted noexec"
    assert mounts.judge("/", node(), 0, 0).reason == ""


def test_what_was_judged_by_its_mountinfo_is_judged_alike_by_facts() -> None:
    for path in ("/fsx", "/tmp", "/frozen", "/plain", "/scratch", "/none"):
        assert mounts.judge(path, node(), 0, 0).reason == reason(path)
