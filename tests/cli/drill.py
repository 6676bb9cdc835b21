"""The recording that the page on suppression asks about: a drill that is silenced, and a rack that fails meanwhile."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import orjson

DAY: Final = "2026-03-11T"
SPACE: Final = "production"

SILENCE: Final[dict[str, Any]] = {
    "command_id": "drill",
    "type": "silence",
    "actor": "amara.okafor",
    "silence": {
        "targets": ["payments-api"],
        "until": f"{DAY}10:00:00Z",
        "owner": "payments",
        "reason": "failover drill, CHG-7",
    },
}


def _alert(service: str, summary: str, severity: str, began: str, ended: str = "") -> dict[str, Any]:
    status = "resolved" if ended else "firing"
    alert = {
        "status": status,
        "labels": {"alertname": summary.title().replace(" ", ""), "service": service, "severity": severity},
        "annotations": {"summary": summary},
        "startsAt": f"{DAY}{began}:00Z",
        "endsAt": f"{DAY}{ended}:00Z" if ended else "0001-01-01T00:00:00Z",
        "fingerprint": service,
    }
    return {"version": "4", "status": status, "alerts": [alert]}


_SLOW: Final = ("payments-api", "payments fail over", "critical", "08:10")
_RACK: Final = ("leipzig-rack-7", "rack lost power", "critical", "08:12")
_DISK: Final = ("backup-store-1", "disk latency high", "warning", "08:13")

_RECORDS: Final[tuple[tuple[str, str, Any], ...]] = (
    ("08:00", "commands", SILENCE),
    ("08:10", "alerts.raw.alertmanager", _alert(*_SLOW)),
    ("08:12", "alerts.raw.alertmanager", _alert(*_RACK)),
    ("08:13", "alerts.raw.alertmanager", _alert(*_DISK)),
    ("08:25", "alerts.raw.alertmanager", _alert(*_SLOW, ended="08:25")),
    ("08:40", "alerts.raw.alertmanager", _alert(*_RACK, ended="08:40")),
    ("08:42", "alerts.raw.alertmanager", _alert(*_DISK, ended="08:42")),
)


def write(path: Path) -> None:
    """Write the recording."""
    lines = []
    for number, (at, topic, value) in enumerate(_RECORDS):
        document = {"topic": topic, "partition": 0, "offset": number, "timestamp": f"{DAY}{at}:00Z", "headers": {}}
        lines.append(orjson.dumps(document | {"key": SPACE if topic == "commands" else None, "value": value}))
    path.write_bytes(b"\n".join(lines) + b"\n")
