"""The navigation: what each reader needs, in order. Pages that are not written yet are passed over."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

DOCS: Final = Path(__file__).parents[2] / "docs"

SECTIONS: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    ("Start", ("README", "quick-start", "concepts", "comparison", "faq", "changelog")),
    ("Sources", ("feeds", "gateway", "feeds/*", "dead-letter")),
    (
        "Policy",
        ("configuration", "catalogue", "policy", "clocks", "on-call", "escalation", "communications", "suppression",
         "alert-fatigue", "access", "compliance"),
    ),
    ("Sinks", ("sinks", "sink-fields", "two-way", "orphans", "sinks/*")),
    (
        "Work",
        ("console", "search", "lifecycle", "commands", "major-incidents", "problems", "explain", "audit", "analytics",
         "command-line"),
    ),
    ("Tuning", ("tuning", "quality", "correlation-rules", "replay", "backtest", "benchmarks")),
    (
        "Operating",
        ("operations", "kubernetes", "kafka", "sizing", "monitoring", "metrics", "logs", "tracing", "self-monitoring",
         "overload", "availability", "multi-region", "faults", "records", "runbooks/*"),
    ),
    ("Security", ("security", "reporting", "releasing")),
    ("Building on it", ("api", "events", "architecture", "decisions/README", "decisions/*")),
)  # fmt: skip
"""Title of each part -> its pages by name below docs/, without the ending; ``feeds/*`` is every page of a folder."""

OUTSIDE: Final = {
    "architecture.md": "ARCHITECTURE.md",
    "changelog.md": "CHANGELOG.md",
    "reporting.md": "SECURITY.md",
    "benchmarks.md": "benchmarks/README.md",
}
"""Pages of the site that lie elsewhere in the repository."""


def pages() -> list[str]:
    """Every page of the site, as a path below docs/."""
    return sorted([*(str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md")), *OUTSIDE])


def navigation(found: Iterable[str] | None = None) -> list[dict[str, Any]]:
    """The navigation as mkdocs has it.

    Args:
        found: pages of the site; those of the repository by default.
    """
    there = set(pages() if found is None else found)
    return [{title: _listed(names, there)} for title, names in SECTIONS]


def left_out(found: Iterable[str] | None = None) -> list[str]:
    """Pages that no part of the navigation has."""
    there = set(pages() if found is None else found)
    return sorted(there - {page for part in navigation(there) for listed in part.values() for page in listed})


def _listed(names: tuple[str, ...], there: set[str]) -> list[str]:
    listed: list[str] = []
    for name in names:
        if name.endswith("/*"):
            below = sorted(page for page in there if page.startswith(name[:-1]) and page not in listed)
            listed += below
        elif f"{name}.md" in there:
            listed.append(f"{name}.md")
    return listed
