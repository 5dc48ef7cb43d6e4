"""What is heard of a run while it goes on."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from validate import collect, session

# Seconds between two lines of progress, at the least.
SHOWN = 0.2


class Listener:
    """Takes the events of a run's launchers as they come, and shows how far its nodes are.

    ``cancelled`` is what scancel said in the end: '' for nothing, None where nobody heard of it.
    """

    def __init__(self, nodes: int, steps: Iterable[str], progress: Callable[[str], None]) -> None:
        """Begin before anything was heard."""
        self.hosts: dict[str, dict[str, Any]] = {}
        self.heard = False
        self.cancelled: str | None = ""
        self._nodes, self._progress = nodes, progress
        self._ended: dict[str, set[str]] = {step: set() for step in steps}
        self._shown = 0.0

    def listen(self, host: session.Submit, order: Mapping[str, Any]) -> None:
        """Have an order carried out; CannotStart where that does not come to its end."""
        conversation = session.launched(host, order)
        before, self.cancelled = self.cancelled, None
        try:
            session.listen(conversation, self.take)
        finally:
            if not conversation.begun:
                # It has started nothing.
                self.cancelled = before

    def take(self, event: Mapping[str, Any]) -> None:
        """Take one event."""
        self.heard = True
        collect.take(self.hosts, event)
        if event["event"] == "cancelled":
            self.cancelled = event["said"]
        content = event.get("content") or {}
        if "bye" in content and content.get("step") in self._ended:
            self._ended[content["step"]].add(event["node"])
            # Of a thousand nodes many events come at once, and a terminal is slow.
            if time.monotonic() - self._shown > SHOWN:
                self.show()

    def show(self) -> None:
        """Show how many nodes are through with each step."""
        self._shown = time.monotonic()
        counts = [f"{step} {len(nodes)}" for step, nodes in self._ended.items()]
        self._progress(f"{self._nodes} nodes: {', '.join(counts)}")

    def left(self, nonce: str) -> str:
        """Return what is known of the run's jobs."""
        if self.cancelled == "":
            return "every job of the run was cancelled"
        what = f"scancel failed ({self.cancelled})" if self.cancelled else "whether its jobs have ended is not known"
        return f"{what}: squeue --name=validate-{nonce} shows what is left, scancel --name=validate-{nonce} ends it"
