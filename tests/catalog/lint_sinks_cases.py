"""Cases of the rules about sinks, beside the good shop of `test_lint`."""

from __future__ import annotations

from typing import Final

HOOK: Final = "url: https://desk.example/hook\n  secret_env: DESK\n"
JIRA: Final = """
  type: jira
  url: https://shop.atlassian.example
  user: bot@shop.example
  secret_env: JIRA_TOKEN
  project: OPS
"""
PAGE: Final = "type: statuspage\n  page_id: abc\n  secret_env: KEY\n"
APPROVED: Final = "communication:\n  audiences:\n    public: {priorities: [P1]}\n"

SINK_CASES: Final[dict[str, tuple[dict[str, str], list[str]]]] = {
    "sinks that are told, and answer": (
        {"domains/retail.yaml": APPROVED,
         "sinks.yaml": f"""hook:
  {HOOK}  domains: [retail]
  priorities: [P1]
inside:
  url: http://hooks.shop.internal/
  secret_env: DESK
cluster:
  url: http://10.1.2.3:8080/hook?page=2
  secret_env: DESK
polled:{JIRA}  poll_seconds: 60
  people: {{Amara: amara.okafor, Team: shop-team, Desk: shop}}
pushed:{JIRA}  updates: {{scheme: bearer, secrets_env: [BACK]}}
page:
  {PAGE}"""},
        [],
    ),
    "a sink that is told of nothing": (
        {"sinks.yaml": f"hook:\n  {HOOK}  kinds: []\n"},
        ["sinks.yaml:4: sink-unreached: sink 'hook' is told of nothing: 'kinds' is empty"],
    ),
    "a sink whose priorities its domains do not have": (
        {"domains/retail.yaml": """
             priorities: [S1, S2]
             impact: [{level: high, tier_at_most: 2, because: tier}, {level: low}]
             urgency: [{level: high, severity_at_least: critical, because: critical}, {level: low}]
             matrix: {high: {high: S1, low: S2}, low: {high: S2, low: S2}}
             communication: {status_page: [S1]}
             targets: {S1: {respond_minutes: 5, resolve_minutes: 60}, S2: {respond_minutes: 50, resolve_minutes: 600}}
             escalation: [{priorities: [S1, S2], levels: [{after_minutes: 0, notify: [oncall]}]}]
             """,
         "sinks.yaml": f"hook:\n  {HOOK}  domains: [retail]\n  priorities: [P1, P2]\n"},
        ["sinks.yaml:5: sink-unreached: sink 'hook' is told of nothing: no domain that it names has a priority that "
         "it names"],
    ),
    "an address that others can read": (
        {"sinks.yaml": """
             hook: {url: "http://desk.example/hook", secret_env: DESK}
             other: {url: "https://desk.example/hook?Token=abc", secret_env: DESK}
             """},
        ["sinks.yaml:1: sink-in-the-clear: sink 'hook': http:// to a host outside; who is on the way reads it all: "
         "use https://",
         "sinks.yaml:2: sink-secret-in-address: sink 'other': the parameter 'Token' of its address looks like a "
         "secret"],
    ),
    "nothing comes back": (
        {"sinks.yaml": f"tickets:{JIRA}chat:\n  type: slack\n  secret_env: TOKEN\n  channel: C0123ABCD\n"},
        ["sinks.yaml:1: sink-one-way: sink 'tickets': without 'updates' or 'poll_seconds' nothing that people do there "
         "comes back here",
         "sinks.yaml:7: sink-one-way: sink 'chat': without 'updates' nothing that people do there comes back here"],
    ),
    "a person whom nobody knows": (
        {"sinks.yaml": f"tickets:{JIRA}  poll_seconds: 60\n  people: {{Amara: amara.okafro}}\n"},
        ["sinks.yaml:8: sink-unknown-person: sink 'tickets': people: nobody here is called 'amara.okafro'; did you "
         "mean 'amara.okafor'?"],
    ),
    "a page that stays empty": (
        {"sinks.yaml": f"page:\n  {PAGE}  audience: nobody\npublic:\n  {PAGE}"},
        ["sinks.yaml:5: page-without-audience: sink 'page': no pack tells 'nobody' anything: the page stays empty",
         "sinks.yaml:6: page-without-audience: sink 'public': no pack tells 'public' anything by approval: the page "
         "stays empty"],
    ),
    "a page that shows what nobody has approved": (
        {"sinks.yaml": f"page:\n  {PAGE}  approval: none\n"},
        ["sinks.yaml:5: page-without-approval: sink 'page': nobody approves what domain 'default' tells the page; if "
         "the world reads it, leave out 'approval: none'"],
    ),
}  # fmt: skip
