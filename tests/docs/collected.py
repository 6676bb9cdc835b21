"""Every command that stands in a block of the documentation, and for each one that no test runs here, why not."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).parents[2]
SHELL: Final = ("", "console", "sh", "bash")
_FENCE: Final = re.compile(r"^( *)```([a-z]*)\n(.*?)^\1```", re.MULTILINE | re.DOTALL)
_PROGRAMS: Final = "spillway|make|python|curl|kubectl|helm|docker|jq|cosign|git|pip|faust"
_COMMAND: Final = re.compile(rf"(?:\$ +(.+)|((?:[A-Z_]+=\S+ )*(?:{_PROGRAMS}) .+))")

EXCEPTIONS: Final[tuple[tuple[str, str], ...]] = (
    (r"kubectl |helm |docker ", "needs a Kubernetes: python -m tests.kubernetes runs it on a real control plane"),
    (r"curl .*icinga|.*kcat", "needs that source"),
    (r"curl .*\$U|signature=|curl .*/v2/enqueue", "tests/gateway/test_documentation.py runs the page of the gateway"),
    (r"curl .*\$CONSOLE", "tests/console/test_api_docs.py runs the page of the API"),
    (r"curl ", "needs a running stage; tests/runtime/test_health.py asks the same"),
    (r"make |python -m (?!benchmarks\.sizing)", "a target or module of its own, minutes long"),
    (r"cosign |git |pip |SOURCE_DATE_EPOCH|pypi-attestations", "a recipe that was not followed yet, as its page says"),
    (r"export |echo |jq ", "the shell's own, or another program's"),
    (
        r"(?:\w+=\S+ )*(?:faust|spillway run|spillway gateway|spillway console)\b",
        "a process that stays; tests/stories, gateway, console start it",
    ),
    (
        r"spillway (watch|shadow|dead-letter (show|retry))\b|spillway .*\|",
        "tests/shadow, tests/kafka and tests/live run it",
    ),
    (r"spillway topics apply --config /etc", "the same as the one with the configuration here, and is run so"),
    (r"spillway incident wait", "of an incident that only the page's day has; tests/records run it"),
    (r"spillway sink (?!list)", "needs a sink; tests/cli/test_sink_check.py and tests/sinks run them"),
    (r"spillway incident show INC-\S+ --sinks", "needs a broker: the ledger of the sinks"),
    (r"spillway stats --orphans", "needs a broker: the ledger of the sinks"),
    (
        r"spillway token (create|revoke)|spillway records (rebuild|compare|retention)",
        "changes the store; tests/records and tests/console run them",
    ),
    (
        r"spillway audit verify march|spillway audit export --from|spillway audit access",
        "over a month of a store; tests/records/test_audit.py runs it",
    ),
    (r"spillway catalog import", "needs what others exported; tests/catalog/test_imports.py runs it on samples"),
    (r"spillway feed test tank-gauge", "tests/feeds/test_declarative_page.py runs the page that writes it"),
    (r"spillway replay outage|spillway suppression --recording fortnight", "a recording that takes a minute to make"),
    (
        r"spillway .*(\b(?:DIR|ID|PARTITION:OFFSET|SINK|REASON|FILE)\b|INC-\.\.\.)",
        "a value stands in capitals: parsed, not run",
    ),
)
"""What a command begins with -> why it is not run by `tests/docs`; everything else is."""


class Written(NamedTuple):
    """A command as it stands on a page. Attributes: page: its path; text: without prompt and comment."""

    page: str
    text: str


def pages() -> list[Path]:
    """Every page that may hold commands."""
    return [ROOT / "README.md", ROOT / "ARCHITECTURE.md", *sorted((ROOT / "docs").rglob("*.md"))]


def commands() -> list[Written]:
    """Each command once, with the first page that has it."""
    found: dict[str, str] = {}
    for page in pages():
        for text in _in_blocks(page.read_text()):
            found.setdefault(text, str(page.relative_to(ROOT)))
    return [Written(page, text) for text, page in found.items()]


def _in_blocks(text: str) -> Iterator[str]:
    for _, language, block in _FENCE.findall(text):
        if language in SHELL:
            for line in re.sub(r"\\\n\s*", "", block).splitlines():
                if found := _COMMAND.match(line.strip()):
                    yield re.sub(r"\s+# .*$|\s+#$", "", found[1] or found[2]).strip()


def reason(text: str) -> str | None:
    """Why a command is not run; None where it is."""
    return next((why for begins, why in EXCEPTIONS if re.match(begins, text)), None)
