"""One sentence for each text recorded from real commands."""

import pytest
from ansible_collections.slipway.containers.plugins.module_utils import spank_diagnosis

CASES = {
    "missing.srun": "/tmp/b/none.so is missing, or is for another architecture",
    "empty.srun": "/tmp/b/empty.so is truncated",
    "wrong-architecture.srun": "is missing, or is for another architecture",
    "registered-twice.srun": "registered twice, as copy.so and as spank_pyxis.so",
    "unknown-argument.sbatch": "pyxis does not know the argument remap_root=1",
    "bad-value.sbatch": "pyxis refuses the argument sbatch_support=maybe",
    "unreadable-plugin.srun": "ordinary users cannot read /tmp/b/noread.so",
    "unreadable-include.srun": "ordinary users cannot read /etc/rec/inc/sedXYZ",
    "no-plugin.srun": "no Slurm plugin",
    "undefined-symbol.srun": "needs the symbol slurm_nothing",
    "other-series.srun": "was built for another Slurm: for 22.05.8, and this node runs 24.11.5",
    "newer-series.sbatch": "for 25.11.2, and this node runs 24.11.5",
    "other-series-optional.srun": "for 22.05.8",
}


@pytest.mark.parametrize("case", CASES)
def test_recorded(case, recorded):
    text = recorded(f"slurm-24.11.5/help/{case}.txt")
    assert CASES[case] in spank_diagnosis.from_output(text, "/p.so", "24.11.5")


def test_recorded_22_05(recorded):
    text = recorded("slurm-22.05.8/help/newer-distribution.srun.txt")
    assert "lack GLIBC_2.38" in spank_diagnosis.from_output(text, "/p.so", "22.05.8")
    text = recorded("slurm-22.05.8/help/missing.srun.txt")
    assert "none.so is missing" in spank_diagnosis.from_output(text, "/p.so", "22.05.8")


def test_silent_ends():
    assert "died of SIGBUS" in spank_diagnosis.from_output("", "/p.so", "24.11.5", signal=7)
    assert "did not end in time" in spank_diagnosis.from_output("", "/p.so", "24.11.5", timed_out=True)
    assert "nothing registers it" in spank_diagnosis.from_output("", "/p.so", "24.11.5")
    assert spank_diagnosis.from_output("srun: error: odd", "/p.so", None) == "srun: error: odd"
