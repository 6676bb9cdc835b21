"""Payloads in the shapes of their sources, for the stories. Times are aware datetimes."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any
from zlib import crc32

NOT_ENDED = "0001-01-01T00:00:00Z"
XURRENT_PEOPLE_FIRST = 6_100


def _rfc3339(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def alertmanager(
    labels: dict[str, str], summary: str, started: datetime, ended: datetime | None = None, description: str = ""
) -> dict[str, Any]:
    """A notification of Prometheus Alertmanager with one alert."""
    status = "firing" if ended is None else "resolved"
    fingerprint = f"{crc32(json.dumps(labels, sort_keys=True).encode()):016x}"
    annotations = {"summary": summary} | ({"description": description} if description else {})
    group = {"alertname": labels["alertname"]}
    return {
        "receiver": "spillway",
        "status": status,
        "alerts": [
            {
                "status": status,
                "labels": labels,
                "annotations": annotations,
                "startsAt": _rfc3339(started),
                "endsAt": NOT_ENDED if ended is None else _rfc3339(ended),
                "generatorURL": "https://prometheus.northwind.example/graph",
                "fingerprint": fingerprint,
            }
        ],
        "groupLabels": group,
        "commonLabels": labels,
        "commonAnnotations": annotations,
        "externalURL": "https://alertmanager.northwind.example",
        "version": "4",
        "groupKey": f'{{}}:{{alertname="{labels["alertname"]}"}}',
        "truncatedAlerts": 0,
    }


def cloudwatch(alarm: str, database: str, reason: str, at: datetime, *, ok: bool = False) -> dict[str, Any]:
    """A CloudWatch alarm of an RDS instance, as SNS delivers it: the alarm is JSON inside a string."""
    state, before = ("OK", "ALARM") if ok else ("ALARM", "OK")
    stamp = at.strftime("%Y-%m-%dT%H:%M:%S.000+0000")
    message = {
        "AlarmName": alarm,
        "AlarmDescription": "Database connections are close to the limit.",
        "AWSAccountId": "210987654321",
        "NewStateValue": state,
        "NewStateReason": reason,
        "StateChangeTime": stamp,
        "Region": "EU (Frankfurt)",
        "AlarmArn": f"arn:aws:cloudwatch:eu-central-1:210987654321:alarm:{alarm}",
        "OldStateValue": before,
        "Trigger": {
            "MetricName": "DatabaseConnections",
            "Namespace": "AWS/RDS",
            "Dimensions": [{"name": "DBInstanceIdentifier", "value": database}],
            "Threshold": 480.0,
        },
    }
    return {
        "Type": "Notification",
        "MessageId": f"{crc32(f'{alarm}{stamp}{state}'.encode()):08x}-0000-4000-8000-000000000001",
        "TopicArn": "arn:aws:sns:eu-central-1:210987654321:operations",
        "Subject": f'{state}: "{alarm}" in EU (Frankfurt)',
        "Message": json.dumps(message),
        "Timestamp": _rfc3339(at),
        "SignatureVersion": "1",
        "Signature": "RVhBTVBMRQ==",
        "SigningCertURL": "https://sns.eu-central-1.amazonaws.com/SimpleNotificationService-example.pem",
        "UnsubscribeURL": "https://sns.eu-central-1.amazonaws.com/?Action=Unsubscribe",
    }


def uptimerobot(name: str, url: str, at: datetime, *, up: bool = False) -> dict[str, Any]:
    """An uptime check from outside."""
    return {
        "monitorID": str(790_000_000 + crc32(url.encode()) % 1_000_000),
        "monitorURL": url,
        "monitorFriendlyName": name,
        "alertType": "2" if up else "1",
        "alertTypeFriendlyName": "Up" if up else "Down",
        "alertDetails": "HTTP 200 - OK" if up else "HTTP 503 - Service Unavailable",
        "alertDuration": "0",
        "alertDateTime": str(int(at.timestamp())),
        "monitorAlertContacts": "0455;11;https://in.northwind.example/uptimerobot",
        "sslExpiryDate": "",
        "sslExpiryDaysLeft": "",
    }


def zabbix(event_id: int, host: str, name: str, severity: int, at: datetime) -> dict[str, Any]:
    """A problem as Zabbix exports it."""
    return {
        "clock": int(at.timestamp()),
        "ns": 512_004_881,
        "value": 1,
        "eventid": event_id,
        "name": name,
        "severity": severity,
        "hosts": [{"host": host, "name": host}],
        "groups": ["Mail servers"],
        "tags": [{"tag": "component", "value": "queue"}],
    }


def zabbix_recovery(event_id: int, problem_id: int, at: datetime) -> dict[str, Any]:
    """Its recovery, which carries nothing but the problem's event id."""
    return {"clock": int(at.timestamp()), "ns": 90_117_731, "value": 0, "eventid": event_id, "p_eventid": problem_id}


def xurrent(ticket: int, subject: str, person: int, team: str, *, done: bool = False) -> dict[str, Any]:
    """A request of the Xurrent service desk."""
    return {
        "webhook_id": 78,
        "account_id": "northwind-it",
        "account": "https://northwind-it.xurrent.example",
        "custom_url": None,
        "name": "Requests to Spillway",
        "event": "request.completed" if done else "request.create",
        "object_id": ticket,
        "object_nodeID": f"NG1lLmNvbS9SZXEv{ticket}",
        "person_id": XURRENT_PEOPLE_FIRST + person,
        "person_name": f"Person {person}",
        "instance_name": "Xurrent production",
        "payload": {
            "audit_line_id": ticket * 7,
            "note_id": None,
            "source": None,
            "sourceID": None,
            "status": "completed" if done else "assigned",
            "subject": subject,
            "category": "incident",
            "impact": "low",
            "completion_reason": "solved" if done else None,
            "service_instance": None,
            "team": {"id": 14, "name": team},
            "member": None,
        },
    }


def jira(key: str, subject: str, description: str, person: str, at: datetime, *, done: bool = False) -> dict[str, Any]:
    """A request of Jira Service Management."""
    stamp = at.strftime("%Y-%m-%dT%H:%M:%S.000+0000")
    category = {"id": 3, "key": "done", "name": "Done"} if done else {"id": 2, "key": "new", "name": "To Do"}
    reporter = {"accountId": person, "displayName": person, "active": True, "accountType": "customer"}
    return {
        "timestamp": int(at.timestamp() * 1_000),
        "webhookEvent": "jira:issue_updated" if done else "jira:issue_created",
        "issue_event_type_name": "issue_resolved" if done else "issue_created",
        "user": reporter,
        "issue": {
            "id": str(crc32(key.encode()) % 100_000),
            "self": f"https://northwind.atlassian.example/rest/api/2/{key}",
            "key": key,
            "fields": {
                "summary": subject,
                "description": description,
                "issuetype": {"id": "10012", "name": "[System] Incident", "subtask": False},
                "project": {"id": "10020", "key": key.split("-", maxsplit=1)[0], "name": "Service desk"},
                "priority": {"id": "3", "name": "Medium"},
                "status": {"id": "10003", "name": "Done" if done else "Open", "statusCategory": category},
                "resolution": {"id": "10000", "name": "Done"} if done else None,
                "reporter": reporter,
                "assignee": None,
                "labels": [],
                "components": [],
                "created": stamp,
                "updated": stamp,
                "resolutiondate": stamp if done else None,
            },
        },
    }
