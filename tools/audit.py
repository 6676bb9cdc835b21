"""Known vulnerabilities of what is locked: ``python -m tools.audit`` (make audit).

Asks the advisory service of the package index about every pinned package, by pip-audit. What pip-audit calls "none
found" it also says of packages that the service does not know; so here silence is not taken for safety.

Ends with 0 where every package was audited and none is vulnerable; 1 where one is; 3 where the service could not be
asked about all. In CI (``CI=true``) that last is told as loudly and ends with 0: a service that is away must not stop a
change that has nothing to do with it, and a nightly run outside of CI must not be green for it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

ROOT: Final = Path(__file__).parents[1]
LOCK: Final = ROOT / "requirements.lock"
SECONDS_MAX: Final = 240.0
NAMES_SHOWN_MAX: Final = 10

FOUND: Final = 1
NOT_ASKED: Final = 3


class Accepted(NamedTuple):
    """An advisory that is known and does not reach us.

    Attributes:
        because: why it does not.
        until: the day on which somebody looks again; from then on it counts.
    """

    because: str
    until: date


ACCEPTED: Final[Mapping[str, Accepted]] = {}
"""Advisory -> why it is accepted. None is at present."""


@dataclass(slots=True)
class Audit:
    """What the service said.

    Attributes:
        audited: packages that it knows.
        unknown: packages that it could not be asked about.
        vulnerable: package -> advisories that count.
        trouble: why nothing was asked; empty where something was.
    """

    audited: int = 0
    unknown: list[str] = field(default_factory=list)
    vulnerable: dict[str, list[str]] = field(default_factory=dict)
    trouble: str = ""


def asked(lock: Path = LOCK) -> str:
    """What pip-audit answers about a lock file, as JSON.

    Raises:
        OSError: it is not installed.
        subprocess.SubprocessError: it did not end in time.
    """
    command = [sys.executable, "-m", "pip_audit", "--requirement", str(lock), "--disable-pip", "--require-hashes"]
    more = ["--vulnerability-service", "pypi", "--format", "json", "--progress-spinner", "off"]
    done = subprocess.run(  # noqa: S603  # our own interpreter
        [*command, *more], capture_output=True, text=True, timeout=SECONDS_MAX, check=False
    )
    if not done.stdout.strip():
        raise subprocess.SubprocessError(done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "no answer")
    return done.stdout


def audit(
    ask: Callable[[], str] = asked, today: date | None = None, accepted: Mapping[str, Accepted] = ACCEPTED
) -> Audit:
    """Ask, and sort what is said."""
    now, found = today or datetime.now(UTC).date(), Audit()
    try:
        document: Any = json.loads(ask())
    except (OSError, subprocess.SubprocessError, json.JSONDecodeError) as error:
        found.trouble = f"{type(error).__name__}: {error}"
        return found
    for package in document["dependencies"]:
        if "skip_reason" in package:
            found.unknown.append(package["name"])
            continue
        found.audited += 1
        for advisory in package.get("vulns", ()):
            names = {advisory["id"], *advisory.get("aliases", ())}
            if not any(name in accepted and now < accepted[name].until for name in names):
                fixed = ", ".join(advisory.get("fix_versions", ())) or "no version yet"
                line = f"{advisory['id']} (fixed in {fixed})"
                found.vulnerable.setdefault(f"{package['name']} {package['version']}", []).append(line)
    return found


def told(found: Audit) -> Sequence[str]:
    """What came of it, line by line."""
    lines = [f"VULNERABLE {package}: {', '.join(advisories)}" for package, advisories in found.vulnerable.items()]
    if found.trouble or found.unknown or not found.audited:
        names = ", ".join(found.unknown[:NAMES_SHOWN_MAX]) + (", ..." if len(found.unknown) > NAMES_SHOWN_MAX else "")
        why = found.trouble or f"the service does not know {len(found.unknown)} packages: {names}"
        lines.append(f"NOT AUDITED: {why}. Nothing is known of them; run make audit where the service answers")
    lines.append(f"{found.audited} packages audited, {len(found.unknown)} not, {len(found.vulnerable)} vulnerable")
    return lines


def code(found: Audit, *, in_ci: bool) -> int:
    """How the command ends."""
    if found.vulnerable:
        return FOUND
    if found.trouble or found.unknown or not found.audited:
        return 0 if in_ci else NOT_ASKED
    return 0


def main() -> int:
    """Audit the lock file."""
    found = audit()
    sys.stdout.write("\n".join(told(found)) + "\n")
    return code(found, in_ci=os.environ.get("CI") == "true")


if __name__ == "__main__":
    sys.exit(main())
