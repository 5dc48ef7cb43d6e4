"""The toolkit, its repository and its keys of daemon.json are gone."""


def test_no_program(host):
    assert not host.exists("nvidia-ctk")
    assert not host.exists("nvidia-container-cli")


def test_no_repository(host):
    assert host.run("grep -rl nvidia-container-toolkit /etc/apt").stdout == ""


def test_docker_has_no_such_runtime(host):
    assert "nvidia" not in host.check_output("docker info --format '{{json .Runtimes}}'")
