"""The decision tables of the example domains: every cell of each matrix, every line of each scale, each category.

For each line there is a case that it holds for and no earlier line does, and one that misses it by the least. The cases
are written here by hand; a line that is added to a pack without its case fails the test.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pipeline.catalog import load_config
from pipeline.core.practice.prioritise import Facts, assess, categorise, plain
from pipeline.models.policy import DomainPolicy
from tests.catalog.directory import EXAMPLE

DOMAINS = load_config(EXAMPLE).domains
NOON_MS = 1_773_140_400_000  # Tuesday 2026-03-10 11:00 UTC: business hours of all
NIGHT_MS = NOON_MS + 12 * 3_600_000

NOTHING = Facts(
    impacts={}, users=0, revenue_per_minute=0.0, tier=None, regulatory=[], severity="info", categories=[], reporters=0
)
Case = dict[str, Any]

IMPACT: dict[str, list[tuple[str, Case, Case]]] = {
    "hospital": [
        ("high", {"regulatory": ["patient-safety"]}, {"regulatory": ["pci-dss"]}),
        ("high", {"users": 1_000}, {"users": 999}),
        ("medium", {"tier": 2}, {"tier": 3}),
        ("low", {}, {}),
    ],
    "retail": [
        ("severe", {"revenue_per_minute": 5_000.0}, {"revenue_per_minute": 4_999.9}),
        ("severe", {"users": 15_000}, {"users": 14_999}),
        ("high", {"tier": 1}, {"tier": 2}),
        ("medium", {"tier": 2}, {"tier": 3}),
        ("medium", {"users": 1_000}, {"users": 999}),
        ("low", {}, {}),
    ],
    "workplace": [
        ("company", {"users": 1_000}, {"users": 999}),
        ("department", {"users": 100}, {"users": 99}),
        ("department", {"tier": 1}, {"tier": 2}),
        ("team", {"tier": 3}, {"tier": 4}),
        ("person", {}, {}),
    ],
}
"""Line by line: its level, what it holds for first, and what misses it."""

URGENCY: dict[str, list[tuple[str, Case, Case]]] = {
    "hospital": [
        (
            "high",
            {"regulatory": ["patient-safety"], "categories": ["access"]},
            {"regulatory": ["patient-safety"], "categories": ["database"]},
        ),
        ("high", {"severity": "critical"}, {"severity": "error"}),
        ("medium", {"regulatory": ["patient-safety"]}, {"regulatory": ["gdpr"]}),
        ("medium", {"severity": "error"}, {"severity": "warning"}),
        ("low", {}, {}),
    ],
    "retail": [
        ("high", {"severity": "critical"}, {"severity": "error"}),
        ("medium", {"severity": "error"}, {"severity": "warning"}),
        ("medium", {"categories": ["certificate"]}, {"categories": ["database"]}),
        ("low", {}, {}),
    ],
    "workplace": [
        ("work-stopped", {"severity": "critical"}, {"severity": "error"}),
        ("work-slowed", {"severity": "error"}, {"severity": "warning"}),
        ("work-slowed", {"categories": ["mail_flow"]}, {"categories": ["printing"]}),
        ("work-slowed", {"categories": ["remote_access"]}, {"categories": ["remote_access"], "at_ms": NIGHT_MS}),
        ("inconvenience", {}, {}),
    ],
}

MATRIX: dict[str, dict[str, str]] = {
    "hospital": {
        "high": "high P1 medium P2 low P3",
        "medium": "high P2 medium P3 low P4",
        "low": "high P3 medium P3 low P4",
    },
    "retail": {
        "high": "severe P1 high P1 medium P2 low P3",
        "medium": "severe P1 high P2 medium P3 low P4",
        "low": "severe P2 high P3 medium P4 low P4",
    },
    "workplace": {
        "work-stopped": "company P1 department P2 team P3 person P3",
        "work-slowed": "company P2 department P3 team P3 person P4",
        "inconvenience": "company P3 department P4 team P4 person P4",
    },
}

CATEGORIES: dict[str, dict[str, tuple[str, str]]] = {
    "hospital": {
        "certificate": ("x509: certificate has expired", ""),
        "access": ("nurses cannot log in", ""),
        "interface": ("hl7 messages wait", ""),
        "clinical_application": ("the chart does not open", ""),
        "database": ("replication is behind", "database"),
        "infrastructure": ("host does not answer", "compute"),
    },
    "retail": {
        "certificate": ("tls handshake failed", ""),
        "database": ("498 of 500 connections in use", "database"),
        "storage": ("disk is 95 % full", "storage"),
        "third_party": ("cardline refuses payments", ""),
        "network": ("packet loss to the shop", "network"),
        "performance": ("12 % errors", ""),
        "availability": ("the shop is down", ""),
    },
    "workplace": {
        "certificate": ("the certificate ends tomorrow", ""),
        "printing": ("toner is empty", ""),
        "mail_flow": ("outlook does not send", ""),
        "remote_access": ("vpn drops", ""),
        "file_storage": ("the shared drive is gone", "storage"),
        "account": ("password does not work", ""),
        "business_application": ("sap is slow", ""),
        "hardware": ("my laptop does not start", ""),
    },
}


def test_every_domain_of_the_example_has_its_tables() -> None:
    assert set(DOMAINS) == set(IMPACT) == set(URGENCY) == set(MATRIX) == set(CATEGORIES)


def judged(policy: DomainPolicy, case: Case, at_ms: int = NOON_MS) -> tuple[str, str, str]:
    known = dict(case)
    at_ms = known.pop("at_ms", at_ms)
    found = assess(replace(NOTHING, **known), policy, at_ms)
    return found.impact, found.urgency, found.priority


def scale_cases(tables: dict[str, list[tuple[str, Case, Case]]]) -> list[tuple[str, int]]:
    return [(domain, index) for domain, lines in tables.items() for index in range(len(lines))]


@pytest.mark.parametrize(("scale", "domain", "index"), [
    *(("impact", *each) for each in scale_cases(IMPACT)),
    *(("urgency", *each) for each in scale_cases(URGENCY)),
])  # fmt: skip
def test_each_line_of_a_scale_holds_for_its_case_and_no_line_before_it_does(
    scale: str, domain: str, index: int
) -> None:
    policy = DOMAINS[domain]
    rules = getattr(policy, scale)
    level, holds, misses = (IMPACT if scale == "impact" else URGENCY)[domain][index]
    assert len(rules) == len((IMPACT if scale == "impact" else URGENCY)[domain])
    assert rules[index].level == level

    marked = [rule.model_copy(update={"level": f"line {number}"}) for number, rule in enumerate(rules)]
    others = "urgency" if scale == "impact" else "impact"
    calm = [getattr(policy, others)[-1].model_copy(update={"level": "any"})]
    lines = {scale: tuple(marked), others: tuple(calm)}
    names = [rule.level for rule in marked]
    matrix = {"any": dict.fromkeys(names, "P4")} if scale == "impact" else {name: {"any": "P4"} for name in names}
    probe = policy.model_copy(update={**lines, "matrix": matrix})

    place = 0 if scale == "impact" else 1
    assert judged(probe, holds)[place] == f"line {index}"
    if index < len(rules) - 1:
        assert judged(probe, misses)[place] != f"line {index}"


@pytest.mark.parametrize("domain", DOMAINS)
def test_every_cell_of_the_matrix_gives_its_priority(domain: str) -> None:
    policy = DOMAINS[domain]
    cells = {
        (urgency, impact): priority
        for urgency, row in MATRIX[domain].items()
        for impact, priority in zip(row.split()[::2], row.split()[1::2], strict=True)
    }
    written = {(urgency, impact): cell for urgency, row in policy.matrix.items() for impact, cell in row.items()}
    assert written == cells
    for (urgency, impact), priority in cells.items():
        probe = policy.model_copy(
            update={
                "urgency": (policy.urgency[-1].model_copy(update={"level": urgency}),),
                "impact": (policy.impact[-1].model_copy(update={"level": impact}),),
            }
        )
        assert judged(probe, {})[2] == priority


@pytest.mark.parametrize("domain", DOMAINS)
def test_more_impact_or_urgency_never_gives_a_lesser_priority(domain: str) -> None:
    policy = DOMAINS[domain]
    impacts = list(dict.fromkeys(rule.level for rule in policy.impact))
    urgencies = list(dict.fromkeys(rule.level for rule in policy.urgency))
    ranks = [[policy.rank(policy.matrix[urgency][impact]) for impact in impacts] for urgency in urgencies]
    assert all(row == sorted(row) for row in ranks), "impact falls from left to right"
    assert all(column == sorted(column) for column in map(list, zip(*ranks, strict=True))), "urgency falls downwards"


@pytest.mark.parametrize("domain", DOMAINS)
def test_each_category_is_found_by_its_text(domain: str) -> None:
    policy = DOMAINS[domain]
    assert [category.name for category in policy.categories] == list(CATEGORIES[domain])
    for name, (text, layer) in CATEGORIES[domain].items():
        assert categorise(policy, plain(text), {}, None) == name
        if layer:
            assert categorise(policy, plain("unwell"), {}, layer) == name


@pytest.mark.parametrize(
    ("text", "fields", "expected"),
    [
        ("certificate of the shop expires", {}, "certificate"),
        ("ransomware note found", {}, "security"),
        ("raid controller degraded", {}, "hardware"),
        ("disk failure predicted in bay 3", {}, "hardware"),
        ("disk is 95 % full", {}, "capacity"),
        ("new colleague: access request for the ledger", {}, "access"),
        ("packet loss between two sites", {}, "network"),
        ("deadlock in orders", {}, "database"),
        ("backup did not finish", {}, "storage"),
        ("misconfigured proxy", {}, "configuration"),
        ("the carrier reports an outage", {}, "third_party"),
        ("NullPointerException in checkout", {}, None),
        ("exception in checkout", {}, "software"),
        ("unwell", {"layer": "security"}, "security"),
        ("unwell", {"layer": "identity"}, "access"),
        ("unwell", {"layer": "database"}, "database"),
        ("unwell", {"hosting_model": "saas"}, "third_party"),
        ("unwell", {}, None),
    ],
)
def test_the_built_in_categories_sort_what_service_desks_see(text: str, fields: Case, expected: str | None) -> None:
    policy = DomainPolicy(domain="x")
    layer, hosting_model = fields.get("layer"), fields.get("hosting_model")
    assert categorise(policy, plain(text), {}, layer, "feed", hosting_model) == expected
