"""Escalation in a directory: what is refused, each with file and line."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.catalog import check_config
from pipeline.feeds import ADAPTERS
from tests.catalog.directory import component, write

ROTATION = "people: [amara.okafor, jonas.weber]\nstart: 2026-01-05T09:00:00Z\nservices: [checkout]\n"

CASES: dict[str, tuple[str, list[str]]] = {
    "rounds that are none": (
        """
        escalation:
          - priorities: [P1]
            levels: [{after_minutes: 0, notify: [oncall]}]
            repeat: {times: 0}
        """,
        ["domains/retail.yaml:4: escalation.0.repeat.times: input should be greater than or equal to 1"],
    ),
    "a share that is none": (
        """
        escalation:
          - priorities: [P1]
            levels: [{after_minutes: 0, notify: [oncall]}]
            resume_at_share: 75
        """,
        ["domains/retail.yaml:4: escalation.0.resume_at_share: input should be less than or equal to 1"],
    ),
    "routes that change nothing, and names that nobody has": (
        """
        escalation:
          - priorities: [P1]
            levels: [{after_minutes: 0, notify: [oncall, shop-team]}]
            fallback: [paymnts]
            routes:
              - {hosting_model: [saas], categories: [certificat]}
              - {hosting_model: [saas], categories: [certificat], also: [paments]}
        """,
        [
            "domains/retail.yaml:4: fallback: unknown role, rotation or person 'paymnts'; did you mean 'payments'?",
            "domains/retail.yaml:6: categories: unknown category 'certificat'; did you mean 'certificate'?",
            "domains/retail.yaml:6: routes: a route needs 'notify', 'also' or 'case', or it changes nothing",
            "domains/retail.yaml:7: also: unknown role, rotation or person 'paments'; did you mean 'payments'?",
            "domains/retail.yaml:7: categories: unknown category 'certificat'; did you mean 'certificate'?",
            "domains/retail.yaml:7: routes: 'saas certificat' is there twice; give it a name of its own",
        ],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_what_cannot_escalate_is_refused_with_file_and_line(name: str, tmp_path: Path) -> None:
    pack, expected = CASES[name]
    catalogue = "---\n".join(
        (
            component("checkout", spec="owner: shop-team\ndomain: retail"),
            component("shop-team", kind="Group"),
            component("retail", kind="Domain"),
        )
    )
    files = {"catalog/shop.yaml": catalogue, "oncall/payments.yaml": ROTATION, "domains/retail.yaml": pack}
    checked = check_config(write(tmp_path, files), ADAPTERS)
    assert [str(each) for each in checked.problems] == expected
