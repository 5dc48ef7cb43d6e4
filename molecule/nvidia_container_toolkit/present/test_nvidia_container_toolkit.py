"""The toolkit is on the nodes with GPUs, at one version, and on no other."""

import pytest

PACKAGES = [
    "libnvidia-container1",
    "libnvidia-container-tools",
    "nvidia-container-toolkit-base",
    "nvidia-container-toolkit",
]


@pytest.fixture
def has_gpus(host):
    # gpu_vendor itself is a template, which testinfra shows as it stands.
    return "compute" in host.ansible.get_variables()["group_names"]


def test_packages_where_there_are_gpus(host, has_gpus):
    assert {host.package(name).is_installed for name in PACKAGES} == {has_gpus}


def test_one_version_that_is_held(host, has_gpus):
    if not has_gpus:
        pytest.skip("no GPUs: there are no packages to hold")
    assert len({host.package(name).version for name in PACKAGES}) == 1
    assert set(PACKAGES) <= set(host.check_output("apt-mark showhold").split())


def test_docker_knows_the_runtime(host, has_gpus):
    assert ("nvidia" in host.check_output("docker info --format '{{json .Runtimes}}'")) == has_gpus
