"""Problems of sinks.yaml, beside those of `test_problems`."""

from __future__ import annotations

from typing import Final

from tests.catalog.directory import component

SINK_PROBLEMS: Final[dict[str, tuple[dict[str, str], list[str]]]] = {
    "a secret in the file": (
        {"sinks.yaml": """
            desk:
              url: desk.example/hook
              secret_env: whsec_C2FuIHlvdSByZWFkIHRoaXM/=
            hidden:
              url: https://bot:hunter2@desk.example/hook
              secret_env: DESK_SECRET
            """},
        ["sinks.yaml:2: url: must begin with https:// or http:// and name a host",
         "sinks.yaml:3: secret_env: must be the NAME of an environment variable, such as SPILLWAY_SECRET_OF_DESK",
         "sinks.yaml:5: url: may hold no user and no password: "
         "give the NAME of an environment variable that holds them"],
    ),
    "sinks that speak of what is not there": (
        {"catalog/a.yaml": component("checkout"),
         "domains/retail.yaml": "title: Shop\n",
         "sinks.yaml": """
            de/sk:
              url: https://desk.example/hook
              secret_env: DESK_SECRET
              priorities: [P9]
              domains: [retial]
            page:
              type: statuspage
              page_id: abc
              secret_env: PAGE_KEY
              components: {chekout: kctbh9vrtdwd, checkout: b13yz5g2cw10}
            tickets:
              type: jira
              url: https://shop.atlassian.example
              user: bot@shop.example
              secret_env: JIRA_TOKEN
              project: OPS
              fields:
                customfield_10001: "{{ titel }}"
                customfield_10002: |
                  {{ title }}
                  {{ title.__class__ }}
            cards:
              type: teams
              url_env: CARDS
              mention_priorities: [P1, S1]
            chat:
              type: slack
              secret_env: CHAT
              channel: C0123ABCD
              channels: [{channel: C0123ABCE, domains: [retial]}]
            """},
        ["sinks.yaml:1: sink 'de/sk': must be at most 64 letters, digits, '-', '_' or '.', "
         "beginning with a letter or digit",
         "sinks.yaml:4: priorities: unknown priority 'P9'; known: P1, P2, P3, P4",
         "sinks.yaml:5: domains: unknown domain 'retial'; did you mean 'retail'?",
         "sinks.yaml:10: components: nothing is called 'chekout'; did you mean 'checkout'?",
         "sinks.yaml:18: fields: template of 'customfield_10001': 'titel' is no fact of an incident; "
         "did you mean 'title'?",
         "sinks.yaml:21: fields: template of 'customfield_10002': '.__class__' may not stand in a template",
         "sinks.yaml:25: mention_priorities: unknown priority 'S1'; known: P1, P2, P3, P4",
         "sinks.yaml:30: domains: unknown domain 'retial'; did you mean 'retail'?"],
    ),
    "two sinks of one name": (
        {"sinks.yaml": """
            desk: {url: https://desk.example/hook, secret_env: DESK_SECRET}
            desk: {url: https://desk.example/other, secret_env: DESK_SECRET}
            """},
        ["sinks.yaml:2: duplicate key 'desk', first on line 1"],
    ),
}  # fmt: skip
