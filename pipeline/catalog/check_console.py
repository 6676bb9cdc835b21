"""Checks of ``console.yaml``: domains that roles are for are ones that there are, and addresses make sense together."""

from __future__ import annotations

from collections.abc import Set
from urllib.parse import urlsplit

from pipeline.catalog.packs import Packs
from pipeline.catalog.problems import Findings


def check_console(packs: Packs, domains: Set[str], findings: Findings) -> None:
    """Report grants that would give nothing, and single sign-on that could not come back.

    Args:
        packs: what is written down.
        domains: of the catalogue and of the packs.
        findings: gets the problems.
    """
    source, oidc = packs.sources.get(("console", "console")), packs.console.oidc
    if source is None or oidc is None:
        return
    for index, grant in enumerate(oidc.grants):
        for position, domain in enumerate(grant.domains or ()):
            if domain not in domains:
                near = findings.near(domain, domains)
                place = source.at("oidc", "grants", index, "domains", position)
                findings.problem(place, f"domains: there is no domain '{domain}'{near}")
    if packs.console.public_url is None:
        findings.problem(
            source.at("oidc"), "oidc: set public_url, too: the issuer sends browsers back to that address alone"
        )
    host = urlsplit(oidc.issuer).netloc
    if host in oidc.hosts:
        findings.warning(source.at("oidc", "hosts"), f"hosts: '{host}' is the issuer's own and asked anyway")
