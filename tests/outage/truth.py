"""What belongs together in the night of the samples, written by hand from the payloads, and why.

A family is a set of conditions that one person would work on as one failure. Conditions are named by the sample that
begins them, without its last word.
"""

from __future__ import annotations

from typing import Final, NamedTuple


class Family(NamedTuple):
    """Conditions that belong together.

    Attributes:
        because: what ties them, as a person of the company would say it.
        incidents_max: how many incidents they may be in. One would be best; more where correlation cannot know yet
            (docs/feeds/outage.md says why), and a person would merge them.
    """

    because: str
    conditions: tuple[str, ...]
    incidents_max: int = 1


PORTAL_PARTS: Final = 5
"""The customer portal fails for two reasons at once, and what fails half an hour after the database's first sign, or
minutes after its neighbours, stands apart; the bridge incident holds them together."""

HALVES: Final = 2
"""The second half shows too late for the first."""

FAMILIES: Final[dict[str, Family]] = {
    "portal": Family(
        "The orders database runs out of storage on a cloud that has trouble, so payments, carts, the order queue and "
        "the tracking page fail, and people cannot pay. Cargolink's rates fail, so quotes do. The storefront needs "
        "all of it, in Azure's troubled region; search and sign-in are its parts and run on the same cluster.",
        (
            "cloudwatch-sns",
            "cloudwatch-eventbridge",
            "aws-health",
            "alertmanager",
            "pagerduty-events",
            "datadog",
            "sentry-metric",
            "sentry-issue",
            "uptimerobot",
            "jira-ticket",
            "servicenow-ticket",
            "xurrent-ticket",
            "zendesk-ticket",
            "dynatrace",
            "statuspage-component",
            "statuspage-incident",
            "statuspage-summary",
            "azure-monitor",
            "newrelic",
            "kibana",
            "cloudevents-binary",
            "cloudevents-structured",
        ),
        PORTAL_PARTS,
    ),
    "ledger": Family(
        "The ledger database is saturated, so what writes to it falls behind; on another cloud, needed by no page.",
        ("gcp-monitoring", "otel-logs", "grafana"),
        HALVES,
    ),
    "munich": Family(
        "An interface of the Munich router is down, and the switch behind it loses packets.",
        ("zabbix-export", "zabbix-webhook", "snmp-telegraf", "snmp-logstash"),
    ),
    "hamburg": Family("A carrier's BGP session in Hamburg; nothing else is told of that site.", ("icinga2",)),
    "berlin": Family(
        "Two firewalls in Berlin lose each other, an hour before everything else; both ways of syslog tell it.",
        ("syslog-rfc5424", "syslog-vector"),
    ),
    "storage": Family("Disks of a shelf that holds scanned waybills; no service waits for it.", ("nagios",)),
    "conveyor": Family("Faults of a conveyor's controllers in a warehouse.", ("splunk",)),
    "edge certificate": Family(
        "The certificate of the ingress is not renewed, and the pages that it serves will lose it in days.",
        ("blackbox-cert", "cert-manager", "uptimerobot-ssl"),
    ),
    "provider certificate": Family(
        "The client certificate for the payment provider, of another issuer, ends in two weeks.", ("x509-exporter",)
    ),
}

NO_SYMPTOMS: Final[dict[str, str]] = {
    "alertmanager-watchdog": "a heartbeat",
    "cloudwatch-sns-subscription": "asks for a confirmation",
    "xurrent-ticket-verify": "asks for a confirmation",
    "aws-health-scheduled": "announces maintenance",
    "icinga2-downtime": "announces maintenance",
    "pagerduty-webhook-v3-ack": "says what people did with an incident that we told PagerDuty",
    "pagerduty-webhook-v3-resolved": "says what people did with an incident that we told PagerDuty",
}
"""Messages that are in no incident, and why."""

NEVER_ENDED: Final[dict[str, str]] = {
    "cloudwatch-eventbridge-composite": "the samples hold no OK of the composite alarm",
    "azure-monitor-servicehealth": "Azure tells the end by a later message, which the samples do not hold",
}
"""Conditions that still fire at the end of the recording, and why."""

KNOWN_FOREIGN: Final[dict[str, str]] = {
    "uptimerobot-ssl": "a certificate that ends in a week is told of a page that is down just then: what an alert is "
    "about decides, and nothing weighs that a warning of the future is no symptom",
}
"""Conditions that are in an incident of another family, as long as correlation does not know better."""


def family_of(sample: str) -> str | None:
    """The family of a sample, by the longest name that it begins with; None for what is no symptom."""
    if sample in NO_SYMPTOMS:
        return None
    named = [(condition, name) for name, family in FAMILIES.items() for condition in family.conditions]
    found = [(condition, name) for condition, name in named if f"{sample}-".startswith(f"{condition}-")]
    if not found:
        raise LookupError(f"{sample} belongs to no family: say in FAMILIES where, or in NO_SYMPTOMS why not")
    return max(found, key=lambda pair: len(pair[0]))[1]
