"""Parts of the page on sinks that are made from the code."""

from __future__ import annotations

from pipeline.sinks.mapping import FACTS


def facts_table() -> str:
    """Facts that field templates may use."""
    rows = [f"| `{name}` | {fact.meaning} |" for name, fact in FACTS.items()]
    return "\n".join(["| fact | is |", "| --- | --- |", *rows]) + "\n"
