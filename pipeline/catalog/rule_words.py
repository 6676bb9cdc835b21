"""Correlation rules in words, for people: what a rule asks for, and what it does."""

from __future__ import annotations

from pipeline.models.correlation_rules import CorrelationRule, Selector, Window
from pipeline.models.inhibition import InhibitRule


def asks_for(selector: Selector) -> str:
    """What a selector asks for."""
    parts = [f"{fact} is {' or '.join(map(str, values))}" for fact, values in selector.match.items()]
    if selector.when is not None:
        parts.append(selector.when)
    return ", ".join(parts) or "every episode"


def does(rule: CorrelationRule) -> str:
    """What a rule does with the episodes that it matches."""
    groups = ", ".join(rule.group_by)
    if rule.action == "always":
        return f"one incident for each {groups}, {window_words(rule.window)}"
    if rule.action == "min_count":
        each = f" of each {groups}" if groups else ""
        return f"an incident from {rule.min_count} episodes{each} on, {window_words(rule.window)}"
    if rule.with_ is not None:
        return f"never with: {asks_for(rule.with_)}"
    return f"never with another {groups}" if groups else "never with any other"


def ties(rule: InhibitRule) -> str:
    """What ties what is inhibited to its source, and for how long."""
    along = f"needs it, within {rule.hops} hops" if rule.along else ""
    equal = f"the same {', '.join(rule.equal)}" if rule.equal else ""
    return f"{' and '.join(each for each in (along, equal) if each)}; {rule.grace_seconds:,} s after"


def window_words(window: Window) -> str:
    """A window in words."""
    if window.kind == "fixed":
        return f"{window.seconds:,} s from the first"
    capped = f", {window.max_seconds:,} s in all" if window.max_seconds is not None else ""
    return f"{window.seconds:,} s from the last{capped}"
