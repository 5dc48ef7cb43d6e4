import hashlib
import io
import json
import tarfile

from cluster import container_image, registry


def members(data):
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        return {member.name: member for member in archive}


def test_later_layers_change_hide_and_empty():
    first, second, third = map(members, container_image.busybox_layers(b"elf", ["bin/busybox", "bin/sh"]))
    assert first["bin/sh"].linkname == "/bin/busybox"
    assert first["bin/busybox"].isreg()
    assert "opt/removed-by-layer-2" in first
    assert {"opt/.wh.removed-by-layer-2", "etc/os-release"} <= set(second)
    assert {"opt/emptied/.wh..wh..opq", "opt/emptied/kept"} <= set(third)


def test_the_image_says_an_operating_system_no_node_has():
    assert "ID=slipway-test\n" in container_image.BUSYBOX_RELEASE


def test_a_docker_archive_names_its_layers_by_content(tmp_path):
    layers = []
    for number in range(2):
        layers.append(tmp_path / f"layer{number}")
        layers[-1].write_bytes(container_image.layer([container_image.Entry(f"file{number}", b"x")]))
    output = tmp_path / "image.tar"
    container_image.write_docker_archive(output, layers, "amd64", "test")
    digests = [hashlib.sha256(path.read_bytes()).hexdigest() for path in layers]
    with tarfile.open(output) as archive:
        manifest = json.load(archive.extractfile("manifest.json"))[0]
        config = json.load(archive.extractfile(manifest["Config"]))
        assert manifest["Layers"] == [f"{digest}.tar" for digest in digests]
    assert config["rootfs"]["diff_ids"] == [f"sha256:{digest}" for digest in digests]
    assert config["architecture"] == "amd64"


def test_images_differ_from_the_nodes():
    assert registry.references("trixie")["debian"] == "head:5000/slipway/debian:bookworm"
    assert registry.references("bookworm")["debian"] == "head:5000/slipway/debian:trixie"
