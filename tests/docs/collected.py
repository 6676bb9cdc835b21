"""Every command that stands in a block of the documentation, and who runs it: a test of this folder, a test or a script
elsewhere that is held to it, or nobody, and then why not."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import dropwhile, takewhile
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).parents[2]
SHELL: Final = ("", "console", "sh", "bash")
_FENCE: Final = re.compile(r"^( *)```([a-z]*)\n(.*?)^\1```", re.MULTILINE | re.DOTALL)
_PROGRAMS: Final = "spillway|make|python|curl|kubectl|helm|docker|jq|cosign|git|pip|faust"
_COMMAND: Final = re.compile(rf"(?:\$ +(.+)|((?:[A-Z_]+=\S+ )*(?:{_PROGRAMS}) .+))")

EXCEPTIONS: Final[tuple[tuple[str, str], ...]] = (
    (
        r"kubectl |docker |helm (?!template spillway)",
        "needs a Kubernetes: python -m tests.kubernetes runs it on a real control plane",
    ),
    (r"curl .*icinga", "needs an Icinga, and kcat beside it"),
    (r"cosign |pip ", "a recipe for a release, and none was made yet, as its page says"),
)
"""What a command begins with -> why nothing runs it."""

ELSEWHERE: Final[tuple[tuple[str, str, str], ...]] = (
    (r"make test$", ".ci/run", "\nmake test\n"),
    (r"make lint test$", ".ci/run", "\nmake lint\n"),
    (r"make audit$", ".ci/run", "\nmake audit\n"),
    (r"make secrets$", "tests/security/test_supply_chain.py", '[*MAKE, "secrets"]'),
    (r"make sbom$", "tests/security/test_supply_chain.py", '[*MAKE, "sbom"]'),
    (r"python -m pytest tests/deploy", "pyproject.toml", 'testpaths = ["tests"]'),
    (r"python -m tools\.observability\.ask ", "tests/observability/test_prometheus.py", "{text}"),
    (r"spillway topics grants --acls \|", "tests/kafka/test_grants.py", 'said("--acls")'),
)
"""What a command begins with -> the file that runs it, and the words there that do; ``{text}`` is the command."""

RUN_BY: Final[tuple[tuple[str, str], ...]] = (
    (
        r"make demo|make lock|make faults|make quality|python -m (tests\.(cluster|kubernetes)|benchmarks\.quality)",
        "understood",
    ),
    (r"python -m (tests\.|tools\.)|helm |jq |echo |SPILLWAY_\w+=\S+ spillway run", "shell"),
    (r"spillway (catalog import|feed test tank-gauge|replay outage|suppression --recording fortnight)", "shell"),
    (r"curl |signature=|export |SPILLWAY_STAGES=\S+ faust|spillway (run|gateway|console|watch|shadow)\b", "live"),
    (r"spillway (dead-letter (show|retry)|sink (?!list)|stats --orphans|incident show \S+ --sinks)", "live"),
    (r"spillway (token (create|revoke)|records (rebuild|compare|retention))", "live"),
)
"""What a command begins with -> the test of this folder that runs it; what begins otherwise is run in `commands`."""


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
    return (command for block in _blocks(text) for line in block if (command := _command(line)))


def _blocks(text: str) -> Iterator[list[str]]:
    """The lines of each block for a shell, continued ones joined."""
    for _, language, block in _FENCE.findall(text):
        if language in SHELL:
            yield re.sub(r"\\\n\s*", "", block).splitlines()


def _command(line: str) -> str | None:
    """The command of a line, without prompt and comment."""
    found = _COMMAND.match(line.strip())
    return re.sub(r"\s+# .*$|\s+#$", "", found[1] or found[2]).strip() if found else None


def shown(written: Written) -> list[str]:
    """The lines that its page shows below a command, up to the next one; "..." stands for what is left out."""
    for block in _blocks((ROOT / written.page).read_text()):
        lines = dropwhile(lambda line: _command(line) != written.text, block)
        if next(lines, None) is not None:
            return "\n".join(takewhile(lambda line: _command(line) is None, lines)).rstrip().splitlines()
    return []


def reason(text: str) -> str | None:
    """Why nothing runs a command; None where something does."""
    return next((why for begins, why in EXCEPTIONS if re.match(begins, text)), None)


def elsewhere(text: str) -> tuple[str, str] | None:
    """The file outside of this folder that runs a command, and the words there that do; None where none is needed."""
    found = ((file, words) for begins, file, words in ELSEWHERE if re.match(begins, text))
    return next(((file, words.replace("{text}", text)) for file, words in found), None)


def of(name: str) -> list[Written]:
    """The commands that ``tests/docs/test_<name>.py`` runs, in the order of the pages."""

    def whose(text: str) -> str | None:
        if reason(text) or elsewhere(text):
            return None
        return next((test for begins, test in RUN_BY if re.match(begins, text)), "commands")

    return [each for each in commands() if whose(each.text) == name]
