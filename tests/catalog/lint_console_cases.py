"""Cases of the rules about who may come in, beside the good shop of `test_lint`."""

from __future__ import annotations

from typing import Final

OIDC: Final = """public_url: https://spillway.example
oidc:
  issuer: https://login.example
  client_id: spillway
"""

CONSOLE_CASES: Final[dict[str, tuple[dict[str, str], list[str]]]] = {
    "single sign-on with an administrator, and proxies of one's own": (
        {
            "console.yaml": f"trusted_proxies: [10.0.0.0/8]\n{OIDC}"
            "  grants:\n    - {group: a, role: viewer, domains: [retail]}\n    - {group: b, role: administrator}\n"
        },
        [],
    ),
    "single sign-on of nobody": (
        {"console.yaml": OIDC},
        ["console.yaml:2: sign-in-of-nobody: no group may come in: single sign-on lets nobody in"],
    ),
    "single sign-on without an administrator": (
        {"console.yaml": f"{OIDC}  grants:\n    - {{group: a, role: administrator, domains: [retail]}}\n"},
        [
            "console.yaml:2: sign-in-without-administrator: no group is administrator of all domains: "
            "tokens and the access log are for holders of tokens alone"
        ],
    ),
    "proxies that are everybody": (
        {"console.yaml": "trusted_proxies:\n  - 0.0.0.0/0\n"},
        [
            "console.yaml:2: proxies-too-wide: '0.0.0.0/0' trusts more than a network of yours: "
            "anybody can say where he comes from"
        ],
    ),
}
