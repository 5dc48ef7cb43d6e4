"""The plugin is gone, and jobs run as before."""


def test_no_plugin_is_left(host):
    assert not host.file("/usr/local/lib/slipway/pyxis").exists


def test_plain_jobs_run(host):
    answer = host.run("runuser -u member -- timeout 60 srun --chdir=/tmp hostname")
    assert answer.rc == 0, answer.stderr


def test_srun_knows_no_containers(host):
    assert "--container-image" not in host.run("runuser -u member -- srun --help").stdout
