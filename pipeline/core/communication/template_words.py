"""The words of the messages that are built in, by view and state: short, plain, and nothing that is not certain.

A domain says it in words of its own under ``communication.audiences.<name>.templates``.
"""

from __future__ import annotations

from typing import Final

_NEXT: Final = """
{% if next_update is not none %}

Next update: {{ next_update | local_time }}.
{% endif %}
"""

_REFERENCE: Final = """
{% if next_update is not none %}

Next update: {{ next_update | local_time }}. You need not report it again.
{% endif %}
Reference: {{ reference }}
"""

_PUBLIC: Final[dict[str, str]] = {
    "investigating": """Subject: {{ service }}: we are looking into a problem
{% if reopened %}
The problem with {{ service }} has come back. We are looking into it.
{% else %}
Since {{ since | local_time }} there is a problem with {{ service }}. We are looking into it.
{% endif %}
""",
    "identified": """Subject: {{ service }}: we know the probable cause
We know what probably causes the problem with {{ service }}, and we are working on it.
""",
    "waiting": """Subject: {{ service }}: we are waiting for {{ waiting_for or "somebody" }}
We cannot solve the problem with {{ service }} alone: we are waiting for {{ waiting_for or "somebody" }}.
""",
    "mitigated": """Subject: {{ service }}: it should work again
{{ service | sentence }} should work again. The lasting repair is still to come, and we keep watching.
""",
    "resolved": """Subject: {{ service }}: solved
The problem with {{ service }} is solved.
{% if ended is not none %}
It lasted {{ lasted | duration }}, from {{ since | local_time }} to {{ ended | local_time }}.
{% endif %}
We are sorry for the trouble.
""",
    "cancelled": """Subject: {{ service }}: no problem found
We have looked into the problem that we had reported with {{ service }}, and found none.
""",
    "moved": """Subject: {{ service }}: part of a larger problem
The problem with {{ service }} is part of a larger one. We go on under that one; please look there for updates.
""",
    "update": """Subject: {{ service }}: still being worked on
{% if state == "mitigated" %}
{{ service | sentence }} should still work. We keep watching until the lasting repair is done.
{% elif state == "waiting" %}
The problem with {{ service }} is not solved yet. We are still waiting for {{ waiting_for or "somebody" }}.
{% else %}
The problem with {{ service }} that began at {{ since | local_time }} is not solved yet. We are working on it.
{% endif %}
""",
    "message": """Subject: {{ service }}: news
{{ message }}
""",
}

_DOING: Final = """
What is being done: {% if state == "resolved" %}service is restored.
{% elif state == "mitigated" %}a workaround is in place; the repair is still to come.
{% elif state == "waiting" %}we are waiting for {{ waiting_for or "somebody" }}.
{% elif not answered %}people have been called; nobody has answered yet.
{% else %}{{ "the " ~ team ~ " team" if team else "a team" }} works on it.
{% endif %}
Probable cause: {{ cause or "not known yet" }}.
"""

_IMPACT: Final = """
Impact: {{ services | titles if services else service }}
{%- if users %}; about {{ users | number }} people{% endif %}
{%- if revenue_per_minute %}; up to {{ revenue_per_minute | money }} a minute
{%- if lasted >= 60000 %}, about {{ revenue_so_far | money }} so far{% endif %}
{%- endif %}.
{% if regulatory %}
Regulated: {{ regulatory | titles }}.
{% endif %}
"""

_SUMMARY: Final = (
    _IMPACT
    + """
Since: {{ since | local_time }} ({{ lasted | duration }}).
{% if major %}
Major Incident: {{ members | plural("incident") }} together.
{% endif %}
"""
    + _DOING
    + """
{% for each in duties %}
{% if not each.done %}
Owed: notice to {{ each.notify }} by {{ each.due | local_time }} ({{ each.name }}).
{% endif %}
{% endfor %}
{% if next_update is not none %}
Next update: {{ next_update | local_time }}.
{% endif %}
"""
)

_HEADS: Final[dict[str, str]] = {
    "investigating": "we are looking into it",
    "identified": "probable cause known",
    "waiting": "waiting",
    "mitigated": "workaround in place",
    "resolved": "solved",
    "update": "still open",
}
"""What the subject says after the service, in each state."""

_EXECUTIVES: Final[dict[str, str]] = {
    **{name: f"Subject: {{{{ priority }}}} {{{{ service }}}}: {head}\n{_SUMMARY}" for name, head in _HEADS.items()},
    "resolved": """Subject: {{ priority }} {{ service }}: solved
The problem with {{ service }} is solved.
"""
    + _IMPACT
    + """
It lasted {{ lasted | duration }}, from {{ since | local_time }}
{%- if ended is not none %} to {{ ended | local_time }}{% endif %}.
{% if cause %}
Probable cause: {{ cause }}.
{% endif %}
{% for each in duties %}
{% if not each.done %}
Owed: notice to {{ each.notify }} by {{ each.due | local_time }} ({{ each.name }}).
{% endif %}
{% endfor %}
""",
    "cancelled": "Subject: {{ priority }} {{ service }}: no failure\nIt was no failure. Nothing is left to do.\n",
    "moved": """Subject: {{ priority }} {{ service }}: part of a larger incident
It is part of a larger incident now, which tells the rest.
""",
    "message": "Subject: {{ priority }} {{ service }}: news\n{{ message }}\n" + _NEXT,
}

_STATE_LINE: Final = """
{% if state == "waiting" %}
Waiting for {{ waiting_for or "somebody" }}.
{% endif %}
"""

_WORK: Final = (
    """
{{ title }}
Affected: {{ affected or service }}
Since: {{ since | local_time }} ({{ lasted | duration }})
{% if suspects %}
Suspected:
{% for each in suspects %}
{% if loop.index <= 3 %}
- {{ each.title }}{% if each.because %}: {{ each.because | titles(3) }}{% endif %}

{% endif %}
{% endfor %}
{% endif %}
{% if assignee or not answered %}
{{ "Has it: " ~ assignee if assignee else "Nobody has it yet." }}
{% endif %}
"""
    + _STATE_LINE
    + """
{% for each in links %}
{{ each.kind | words | sentence }} {{ each.id }}
{%- if each.state %} ({{ each.state }}){% endif %}
{%- if each.url %}: {{ each.url }}{% endif %}

{% endfor %}
{% if runbook %}
Runbook: {{ runbook }}
{% endif %}
{% for each in duties %}
{% if not each.done %}
Owed: notice to {{ each.notify }} by {{ each.due | local_time }} ({{ each.name }})
{% endif %}
{% endfor %}
{% if next_update is not none %}
Next update: {{ next_update | local_time }}
{% endif %}
"""
)

_RESPONDERS: Final[dict[str, str]] = {
    **{name: f"Subject: [{{{{ priority }}}}] {head}: {{{{ title }}}}\n{_WORK}" for name, head in _HEADS.items()},
    "resolved": """Subject: [{{ priority }}] solved: {{ title }}
{{ title }}: solved after {{ lasted | duration }}.
{% if cause %}
Probable cause: {{ cause }}
{% endif %}
""",
    "cancelled": "Subject: [{{ priority }}] cancelled: {{ title }}\n{{ title }}: cancelled, it was no failure.\n",
    "moved": """Subject: [{{ priority }}] part of another: {{ title }}
{{ title }}: goes on in {{ bridge or "another incident" }}.
""",
    "message": "Subject: [{{ priority }}] news: {{ title }}\n{{ message }}\n" + _NEXT,
}

_QUIET: Final = frozenset({"resolved", "cancelled", "moved"})
"""States after which no update is promised."""


def _with(tail: str, words: dict[str, str]) -> dict[str, str]:
    return {name: text if name in _QUIET else text.rstrip("\n") + tail for name, text in words.items()}


BUILT_IN: Final[dict[str, dict[str, str]]] = {
    "public": _with(_NEXT, _PUBLIC),
    "affected_users": _with(_REFERENCE, _PUBLIC)
    | {name: _PUBLIC[name] + "Reference: {{ reference }}\n" for name in sorted(_QUIET)},
    "executives": _EXECUTIVES,
    "responders": _RESPONDERS,
}
"""View -> name of the template -> its text."""
