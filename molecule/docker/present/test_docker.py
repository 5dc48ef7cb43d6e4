"""Docker runs on every node, for its group and nobody else."""


def test_the_daemon_runs(host):
    assert host.service("docker").is_running


def test_the_socket_is_the_groups(host):
    socket = host.file("/run/docker.sock")
    assert (socket.user, socket.group, socket.mode) == ("root", "docker", 0o660)


def test_a_member_and_not_a_guest(host):
    assert host.run("runuser -u member -- docker info").rc == 0
    assert host.run("runuser -u guest -- docker info").rc != 0


def test_data_lies_on_the_storage(host):
    assert host.check_output("docker info --format '{{.DockerRootDir}}'") == "/scratch/slipway/docker"
