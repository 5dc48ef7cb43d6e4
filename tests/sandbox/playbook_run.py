"""What a run of a playbook printed, taken apart."""

from __future__ import annotations

import re
from dataclasses import dataclass

TASK = ("TASK [", "RUNNING HANDLER [")
RECAP = re.compile(r"^(\S+)\s+: (ok=\d+.*)$", re.MULTILINE)
# A failed task of one host, and the indented lines of its result.
FAILURE = re.compile(r"^(?:fatal|failed): \[([\w.-]+)[^\]]*\].*\n((?:[ \t]+.*\n|\n)*)", re.MULTILINE)


def words(text: str) -> str:
    """Return a text without its line breaks: Ansible folds long messages."""
    return " ".join(text.split())


@dataclass(frozen=True)
class Run:
    """A finished run of a playbook."""

    code: int
    output: str
    seconds: float

    @property
    def recap(self) -> dict[str, dict[str, int]]:
        """Return the counts of the PLAY RECAP by host."""
        return {
            host: {key: int(value) for key, value in (pair.split("=") for pair in counts.split())}
            for host, counts in RECAP.findall(self.output.rpartition("PLAY RECAP")[2])
        }

    @property
    def text(self) -> str:
        return words(self.output)

    @property
    def tasks(self) -> int:
        return sum(line.startswith(TASK) for line in self.output.splitlines())

    @property
    def failures(self) -> dict[str, str]:
        """Return what failed on each host, each as one line."""
        found: dict[str, str] = {}
        for host, body in FAILURE.findall(self.output):
            found[host] = f"{found.get(host, '')} {words(body)}".strip()
        return found

    def total(self, count: str) -> int:
        return sum(counts[count] for counts in self.recap.values())

    def succeeded(self) -> Run:
        assert self.code == 0 and self.recap, self.tail()
        assert self.total("failed") == self.total("unreachable") == 0, self.tail()
        return self

    def failed(self) -> Run:
        assert self.code != 0, f"the run was to fail\n{self.tail()}"
        return self

    def unchanged(self) -> Run:
        self.succeeded()
        changed = re.findall(r"^changed: .*$", self.output, re.MULTILINE)
        assert self.total("changed") == 0, "\n".join([*changed, self.tail()])
        return self

    def tail(self) -> str:
        """Return what a person needs to see of a run that went wrong."""
        said = "\n".join(f"{host}: {message[:2000]}" for host, message in self.failures.items())
        return f"exit code {self.code}\n{said}\n…\n{self.output[-1500:]}"
