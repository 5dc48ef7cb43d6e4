"""H-03: every command that submits knows --container-image here."""

from __future__ import annotations

from typing import Any

from validate.model import Check, Context, Finding, failed, passed, skipped
from validate.probing import Node

CHECK = Check(
    id="H-03",
    title="srun, sbatch and salloc know --container-image",
    tier="quick",
    step="submit",
    cause="pyxis is not registered for this host, or its plugin does not load here (pyxis#84, pyxis#58)",
    fix="playbooks/reconfigure.yml; where plugstack.conf names no pyxis, playbooks/site.yml",
    after=("H-01", "H-04"),
)


COMMANDS = ("srun", "sbatch", "salloc")


def observe(node: Node) -> Any:
    """Read their help; an exit code proves nothing."""
    found = {}
    for command in COMMANDS:
        output = node.run([command, "--help"], 5)
        found[command] = {"knows": "--container-image" in output.stdout, "said": output.stderr[:1500]}
    return found


def judge(observed: Any, context: Context) -> Finding:
    """All three offer it."""
    # Only the control node has them.
    from validate import causes, diagnosis  # noqa: PLC0415 - see above

    if "pyxis" not in context.settings["runtimes"]:
        return skipped("validate_runtimes does not name pyxis")
    lacking = [command for command in COMMANDS if not observed[command]["knows"]]
    if not lacking:
        return passed("all three list it")
    said = next((observed[command]["said"].strip() for command in lacking if observed[command]["said"].strip()), "")
    found = diagnosis.of(said, (causes.PLUGIN_OPTION,))
    if found:
        return failed(found.line, "--container-image in the help of all three", found.cause, found.fix)
    line = next((line for line in said.splitlines() if "error" in line), said)
    said = f"not known to {', '.join(lacking)}{': ' if line else ''}{line}"
    return failed(said, "--container-image in the help of all three")
