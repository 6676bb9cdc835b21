"""Checks of known errors: what they name is known, and their addresses are addresses."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from pipeline.catalog.packs import Packs
from pipeline.catalog.problems import Findings

_ADDRESS: Final = re.compile(r"https?://[^/\s]+\S*")


def check_known_errors(packs: Packs, resolve: Callable[[str], str | None], findings: Findings) -> None:
    """Report what a known error names and nobody knows: it would never be offered.

    Args:
        packs: what is written down.
        resolve: finds the catalogue reference of a name.
        findings: gets the problems.
    """
    categories = {each.name for policy in packs.domains.values() for each in policy.categories}
    for name, known in packs.known_errors.items():
        source = packs.sources["known error", name]
        for field, wanted in (("causes", known.causes), ("services", known.services)):
            for index, target in enumerate(wanted):
                if resolve(target) is None:
                    findings.problem(source.at(field, index), f"{field}: '{target}' is not in the catalogue")
        for index, category in enumerate(known.categories):
            if categories and category not in categories:
                findings.problem(source.at("categories", index), f"no domain has a category '{category}'")
        if known.url is not None and not _ADDRESS.fullmatch(known.url):
            findings.problem(source.at("url"), "url: must begin with https:// or http:// and name a host")
