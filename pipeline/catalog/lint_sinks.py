"""Rules about sinks: who is never told, what is told to the world, what comes back, and what others can read."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address
from typing import Final, NamedTuple
from urllib.parse import parse_qsl, urlsplit

from pipeline.catalog.check_sinks import named
from pipeline.catalog.lint_context import Context, Finding
from pipeline.catalog.problems import Place, suggestion
from pipeline.core.escalation.oncall_calendar import calendar_people
from pipeline.models.communications import needs_approval
from pipeline.models.policy import DEFAULT_DOMAIN, DomainPolicy
from pipeline.models.sinks import SinkRules
from pipeline.models.sinks.base import TwoWay
from pipeline.models.sinks.status_pages import Published
from pipeline.models.sinks.ticketing import Ticketing

SECRET_PARAMETERS: Final = frozenset(
    """access_token api_key apikey auth code key password pwd secret sig signature token""".split()
)
"""Names of query parameters that hold a secret wherever one has been seen."""

_INSIDE: Final = (".internal", ".local", ".localhost", ".svc", ".cluster.local", ".lan", ".intranet", ".home.arpa")
"""Ends of names that no public name has: what is called so is inside."""


class _Sink(NamedTuple):
    """One sink, the packs of the domains whose incidents it may hear of, and where it stands."""

    rules: SinkRules
    policies: list[DomainPolicy]
    context: Context

    def at(self, *path: str | int) -> Place:
        return self.context.opened.packs.sources["sink", self.rules.name].at(*path)


def check_sinks(context: Context) -> Iterator[Finding]:
    """Every rule about sinks."""
    config = context.config
    domains = {each.domain for each in config.catalogue.entities.values() if each.domain} | {*config.domains}
    everybody = _everybody(context)
    for rules in config.sinks.values():
        heard = [each for each in sorted({*domains, DEFAULT_DOMAIN}) if not rules.domains or each in rules.domains]
        sink = _Sink(rules, [config.policy(each) for each in heard], context)
        yield from _reach(sink)
        yield from _address(sink)
        yield from _back(sink)
        yield from _people(sink, everybody)
        if isinstance(rules, Published):
            yield from _page(sink, rules)


def _reach(sink: _Sink) -> Iterator[Finding]:
    rules = sink.rules
    wanted = set(rules.priorities)
    reached = any(not wanted or wanted & set(policy.priorities) for policy in sink.policies)
    if not rules.kinds or not reached:
        why = "no domain that it names has a priority that it names" if rules.kinds else "'kinds' is empty"
        place = sink.at("kinds") if not rules.kinds else sink.at("priorities")
        yield Finding("sink-unreached", place, f"sink '{rules.name}' is told of nothing: {why}")


def _address(sink: _Sink) -> Iterator[Finding]:
    url = getattr(sink.rules, "url", "")
    parts = urlsplit(url)
    if parts.scheme == "http" and not _inside(parts.hostname or ""):
        message = f"sink '{sink.rules.name}': http:// to a host outside; who is on the way reads it all: use https://"
        yield Finding("sink-in-the-clear", sink.at("url"), message)
    found = sorted({name for name, _ in parse_qsl(parts.query) if name.lower() in SECRET_PARAMETERS})
    if found:
        message = f"sink '{sink.rules.name}': the parameter '{found[0]}' of its address looks like a secret"
        yield Finding("sink-secret-in-address", sink.at("url"), message)


def _inside(host: str) -> bool:
    """Whether a host is of this machine or of a private network, as far as its name says."""
    try:
        return not ip_address(host).is_global
    except ValueError:
        return "." not in host or host.endswith(_INSIDE)


def _back(sink: _Sink) -> Iterator[Finding]:
    rules = sink.rules
    if not isinstance(rules, TwoWay) or rules.updates is not None or not rules.READS_BACK:
        return
    if isinstance(rules, Ticketing) and rules.poll_seconds:
        return
    asked = " or 'poll_seconds'" if isinstance(rules, Ticketing) else ""
    message = f"sink '{rules.name}': without 'updates'{asked} nothing that people do there comes back here"
    yield Finding("sink-one-way", sink.at(), message)


def _people(sink: _Sink, everybody: set[str]) -> Iterator[Finding]:
    for each in named(sink.rules):
        if each.kind in ("person", "team") and everybody and each.name not in everybody:
            message = f"sink '{sink.rules.name}': {each.field}: nobody here is called '{each.name}'"
            yield Finding("sink-unknown-person", sink.at(*each.path), f"{message}{suggestion(each.name, everybody)}")


def _everybody(context: Context) -> set[str]:
    """Whom a catalogue and rotations name: people, teams and rotations."""
    rotations = context.config.rotations
    people = {person for each in rotations.values() for person in each.takers()}
    listed = {person for each in rotations.values() for layer in each.whole() for person in calendar_people(layer)}
    return people | listed | {*rotations} | {*context.config.catalogue.groups}


def _page(sink: _Sink, rules: Published) -> Iterator[Finding]:
    told = [
        (policy, audience, rule)
        for policy in sink.policies
        for _, audience, page, rule in policy.communication.places
        if audience == rules.audience and rules.channel in ("", page)
    ]
    silent = [policy.domain for policy, audience, rule in told if not needs_approval(audience, rule)]
    if not told or (rules.approval == "required" and len(silent) == len(told)):
        where = f" on '{rules.channel}'" if rules.channel else ""
        asks = " by approval" if told else ""
        message = f"sink '{rules.name}': no pack tells '{rules.audience}' anything{where}{asks}: the page stays empty"
        yield Finding("page-without-audience", sink.at("audience"), message)
    elif rules.approval == "none" and silent:
        message = (
            f"sink '{rules.name}': nobody approves what domain '{silent[0]}' tells the page; "
            "if the world reads it, leave out 'approval: none'"
        )
        yield Finding("page-without-approval", sink.at("approval"), message)
