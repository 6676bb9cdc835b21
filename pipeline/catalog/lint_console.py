"""Rules about who may come in: single sign-on that lets nobody in, and proxies that are everybody."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_network
from typing import Final

from pipeline.catalog.lint_context import Context, Finding
from pipeline.models.command import Role

PREFIX_BITS_MIN: Final = {4: 8, 6: 7}
"""Of a network of one's own: 10.0.0.0/8 and fc00::/7 are the widest that there are."""


def check_console(context: Context) -> Iterator[Finding]:
    """Every rule about ``console.yaml``."""
    source = context.opened.packs.sources.get(("console", "console"))
    if source is None:
        return
    console = context.config.console
    for index, written in enumerate(console.trusted_proxies):
        network = ip_network(written)
        if network.prefixlen < PREFIX_BITS_MIN[network.version]:
            words = f"'{written}' trusts more than a network of yours: anybody can say where he comes from"
            yield Finding("proxies-too-wide", source.at("trusted_proxies", index), words)
    if console.oidc is None:
        return
    grants = console.oidc.grants
    if not grants:
        yield Finding("sign-in-of-nobody", source.at("oidc"), "no group may come in: single sign-on lets nobody in")
    elif not any(each.role == Role.ADMINISTRATOR and each.domains is None for each in grants):
        words = "no group is administrator of all domains: tokens and the access log are for holders of tokens alone"
        yield Finding("sign-in-without-administrator", source.at("oidc"), words)
