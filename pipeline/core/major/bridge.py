"""Bridge: one record for a Major Incident, opened on aggregated business impact, linking all its member incidents.

It sees a summary of an incident, from all spaces, whenever anything that it goes by is new. Its parts: what it keeps
(`pipeline.core.major.bridge_state`), when related incidents are a Major Incident and how one begins
(`pipeline.core.major.bridge_declaring`), what news of members mean and how it ends for them
(`pipeline.core.major.bridge_members`), what people ask (`pipeline.core.major.bridge_commands`).
"""

from __future__ import annotations

from typing import ClassVar

from pipeline.core.major.bridge_commands import BridgeCommands
from pipeline.core.major.bridge_state import BRIDGE
from pipeline.core.practice import deadlines
from pipeline.core.practice.commands import parse_command
from pipeline.core.step import Effects, Record, dead_letter
from pipeline.core.summaries import read_summary
from pipeline.models.decision import BadRecord
from pipeline.models.incident import IncidentState


class BridgeProcessor(BridgeCommands):
    """Bridge incidents over all spaces; one partition."""

    stage: ClassVar[str] = "bridge"

    def process(self, record: Record, effects: Effects) -> None:
        """Weigh one summary, or obey one command."""
        if record.topic == "bridge.commands":
            self._command(parse_command(record.value), effects)
        else:
            self._weigh(read_summary(record), effects)

    def refuse(self, record: Record, bad: BadRecord, effects: Effects) -> None:
        """Nothing here is an alert: the record goes to the dead letter without being counted as one."""
        effects.outputs.append(dead_letter(self.stage, record, bad))

    def on_timer(self, key: str, due_ms: int, effects: Effects) -> None:
        """A bridge incident needs attention by itself."""
        bridge = self._bridges[key.removeprefix(BRIDGE)]
        draft = self._draft(bridge)
        self._major_due(draft, effects)
        due = deadlines.deadline_ms(self._desk, bridge)
        if due is not None and due <= draft.now_ms:
            deadlines.on_deadline(self._desk, draft)
            if bridge.state == IncidentState.CLOSED:
                self._closed(draft, None, effects)
        self._publish(draft, effects)
