"""The words of explanations: every reason, kind of evidence and obstacle that a decision may name, for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pipeline.models.decision import Reason, WhyNot
from pipeline.models.suppression import Ended, What

REASON_WORDS: Final[dict[str, str]] = {
    Reason.FIRST_SYMPTOM: "the first symptom: nothing open was likely to be about the same, so it opened the incident",
    Reason.SAME_CONDITION: "an earlier run of the same condition is in it",
    Reason.SAME_ENTITY: "it is about the same service or resource",
    Reason.DEPENDENCY: "one of the two depends on the other",
    Reason.SHARED_HOSTING: "both run in the same place",
    Reason.BUSINESS_TERMS: "its words name what the incident is about",
    Reason.SIMILAR_TEXT: "it is told in the same words",
    Reason.COMBINED_EVIDENCE: "no single fact was enough, all together were",
    Reason.RULE_JOIN: "a correlation rule always puts it there",
    Reason.RULE_NEVER: "it opened the incident: a correlation rule keeps it apart from what it would have joined",
    Reason.RULE_MIN_COUNT: "it opened the incident: as many of its kind had come as a correlation rule asks for",
    Reason.BY_COMMAND: "a person decided so",
    Reason.LOOKED_AGAIN: "it was looked at again, and nothing held it in the incident that it had joined",
}
"""Why an episode is in an incident."""

EVIDENCE_WORDS: Final[dict[str, str]] = {
    "same_condition": "an earlier run of the same condition is in it",
    "goes_on": "it is what the incident is about, which goes on",
    "same_entity": "the same thing",
    "still_fires": "the same thing still fires there",
    "needs_1": "it needs what is broken there",
    "needs_2": "it needs what is broken there, over one other",
    "needs_3": "it needs what is broken there, over two others",
    "needed_1": "what is broken there needs it",
    "needed_2": "what is broken there needs it, over one other",
    "needed_3": "what is broken there needs it, over two others",
    "common_1": "both need the same",
    "common_2": "both need the same, one over another",
    "common_3": "both need the same, over others",
    "host": "on the same host",
    "rack": "in the same rack",
    "cluster": "in the same cluster",
    "zone": "in the same zone",
    "same_system": "parts of one application",
    "people_name_it": "people who reported it name this",
    "business_terms": "its words name what the incident is about",
    "same_terms": "its words name what others named",
    "people": "reported by a person",
    "names_it": "its text names what is broken there",
    "is_named": "a text there names it",
    "unknown": "nobody knows what it is about",
    "similar_text": "similar words",
    "age": "how long ago the incident began",
    "gap": "time since the last symptom joined",
    "episodes": "how many symptoms it has",
    "entities": "how much it has reached",
    "strangers": "how much of that has nothing to do with it",
    "related": "how much of that has to do with it",
    "open": "how many of its symptoms still fire",
    "burst": "how many came within the last minute",
    "hot": "how many incidents are growing at the moment",
    "rest": "all that says little, together",
}
BIAS_WORDS: Final = "at first"

WHY_NOT_WORDS: Final[dict[str, str]] = {
    WhyNot.BELOW_THRESHOLD: "too little speaks for it",
    WhyNot.NOT_BEST: "it would have been enough, but more speaks for the other",
    WhyNot.QUIET_TOO_LONG: "nothing fires in it, and it had had no news for longer than the correlation window",
    WhyNot.RULE_NEVER: "a correlation rule keeps the two apart",
    WhyNot.RESOLVED: "it was resolved; it takes only its own conditions again, and late reports, and those for a while",
}
"""What kept an episode out of an incident."""

BEGAN_WORDS: Final[dict[str, str]] = {
    Reason.REOPENED_EPISODE: "its condition had fired before",
    Reason.RELEASED: "it had been held or suppressed until then",
    Reason.FEED_SILENT: "no message says so: its feed was expected to be heard and was not",
}
"""How an episode began, where that needs to be said."""

HIDDEN_WORDS: Final[dict[str, str]] = {
    What.REPEATS: "repeats of what fired already",
    What.FLAPPING: "it flapped",
    What.TRANSIENT: "it waited, as what may pass by itself",
    What.MAINTENANCE: "maintenance expected it",
    What.MIN_COUNT: "it waited, as a rule wants more of its kind",
    What.CHRONIC: "it is chronic and ranked lower",
    What.SILENCED: "somebody silenced it",
    What.INHIBITED: "what it needs was known to be down",
    What.SILENCE: "a silence",
}
"""What hid alerts from people."""

ENDED_WORDS: Final[dict[str, str]] = {
    Ended.OVER: "it was over before anybody was told",
    Ended.SILENT: "its source fell silent",
    Ended.LET_IN: "then it was let in",
    Ended.IN_INCIDENT: "its incident had it meanwhile",
    Ended.TOLD: "it was told, with less urgency",
    Ended.ON: "it is in force",
}
"""How that ended."""


def by_words(by: Mapping[str, Any]) -> str | None:
    """The silence, window, change or rule that hid something, in words; None where it was none of them."""
    if "silence" in by:
        return f"silence {by['silence']} of {by['owner']}: {by['because']}"
    if "change_id" in by:
        return f"change {by['change_id']}"
    if by.get("windows"):
        return f"maintenance {', '.join(by['windows'])}"
    if "source" in by:
        found = f" in {by['incident_id']}" if by.get("incident_id") else ""
        return f"inhibition rule {by['rule']}, as {by['source']}{found} fires"
    return None
