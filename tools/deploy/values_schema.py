"""The schema of the chart's values: helm refuses what does not fit, and names where.

Strict: a key that nobody reads is a mistake. What Kubernetes itself defines (tolerations, peers, volumes) is left open
and checked by Kubernetes.
"""

from __future__ import annotations

import json
from typing import Any, Final, get_args

from pipeline.flow import RAW_TOPICS, STAGES
from pipeline.kafka.grants import FURTHER_COMPONENTS
from pipeline.settings import LOG_LEVELS, KafkaSecurity, SaslMechanism
from tools.deploy.derived import TOGETHER

Schema = dict[str, Any]

OPEN: Final[Schema] = {"type": "object"}
OPEN_LIST: Final[Schema] = {"type": "array", "items": {"type": "object"}}
TEXT: Final[Schema] = {"type": "string"}
FLAG: Final[Schema] = {"type": "boolean"}
LABELS: Final[Schema] = {"type": "object", "additionalProperties": {"type": "string"}}
NAMES: Final[Schema] = {"type": "array", "items": {"type": "string", "minLength": 1}}

HOST_PORTS: Final = r"^[^\s,]+:[0-9]+(,[^\s,]+:[0-9]+)*$"
DNS_NAME: Final = r"^[a-z0-9]([-a-z0-9.]{0,98}[a-z0-9])?$"
DURATION: Final = r"^[0-9]+(ms|s|m|h)$"
QUANTITY: Final = r"^[0-9]+(\.[0-9]+)?(Ki|Mi|Gi|Ti)?$"
CONFIG_PATH: Final = r"^([A-Za-z0-9_-]+/)*[A-Za-z0-9_-][A-Za-z0-9._-]*\.(yaml|yml|ics|j2)$"
"""What a directory of the configuration may hold; no part of a path may begin with a dot."""

DIGEST: Final = r"^(sha256:[0-9a-f]{64})?$"


def record(**properties: Schema) -> Schema:
    """An object of exactly these fields."""
    return {"type": "object", "additionalProperties": False, "properties": properties}


def whole(low: int, high: int) -> Schema:
    """A whole number."""
    return {"type": "integer", "minimum": low, "maximum": high}


def seconds(low: int, high: int) -> Schema:
    """A number of seconds."""
    return {"type": "number", "minimum": low, "maximum": high}


def matching(pattern: str) -> Schema:
    """A text of this form."""
    return {"type": "string", "pattern": pattern}


def choice(*words: str) -> Schema:
    """One of these words."""
    return {"enum": list(words)}


PORTS: Final[Schema] = {"type": "array", "items": whole(1, 65_535), "minItems": 1}
RULE: Final = record(to=OPEN_LIST, ports=PORTS)
RESOURCES: Final = {
    **record(requests=OPEN, limits=OPEN),
    "required": ["requests", "limits"],
}
PROBE: Final = record(
    initialDelaySeconds=whole(0, 3_600),
    periodSeconds=whole(1, 300),
    timeoutSeconds=whole(1, 60),
    failureThreshold=whole(1, 10_000),
)


def component() -> Schema:
    """What every component has."""
    return record(
        enabled=FLAG,
        replicas=whole(1, 1_000),
        resources=RESOURCES,
        env=OPEN_LIST,
        envFrom=OPEN_LIST,
        podAnnotations=LABELS,
        podLabels=LABELS,
        nodeSelector=LABELS,
        tolerations=OPEN_LIST,
        affinity=OPEN,
        priorityClassName=TEXT,
        extraVolumes=OPEN_LIST,
        extraVolumeMounts=OPEN_LIST,
        kafkaUser=record(existingSecret=TEXT, username=TEXT),
        networkPolicy=record(ingress=OPEN_LIST, egress=OPEN_LIST),
    )


def _image() -> Schema:
    return record(
        registry=matching(r"^([^\s]*[^/\s])?$"),
        repository={"type": "string", "minLength": 1},
        # A tag that moves is not what was tested.
        tag={"type": "string", "not": {"const": "latest"}},
        digest=matching(DIGEST),
        pullPolicy=choice("Always", "IfNotPresent", "Never"),
        pullSecrets=NAMES,
    )


def _kafka() -> Schema:
    return record(
        bootstrap=matching(HOST_PORTS),
        appId=matching(DNS_NAME),
        topicPrefix=matching(r"^[A-Za-z0-9._-]{0,100}$"),
        partitions=whole(1, 10_000),
        replicationFactor=whole(1, 100),
        minInsyncReplicas=whole(1, 100),
        production=FLAG,
        security=choice(*get_args(KafkaSecurity)),
        ca=record(existingSecret=TEXT, key=TEXT),
        clientCertificate=record(existingSecret=TEXT, certificateKey=TEXT, privateKeyKey=TEXT),
        sasl=record(
            mechanism=choice(*get_args(SaslMechanism)),
            username=TEXT,
            existingSecret=TEXT,
            passwordKey=TEXT,
            awsRegion=matching(r"^([a-z]{2}(-[a-z]+)+-[0-9]+)?$"),
        ),
    )


def _files() -> Schema:
    return {"type": "object", "propertyNames": matching(CONFIG_PATH), "additionalProperties": TEXT}


def _config_maps() -> Schema:
    item = {**record(key=TEXT, path=TEXT), "required": ["key", "path"]}
    each = record(name=TEXT, items={"type": "array", "items": item}, optional=FLAG)
    return {"type": "array", "items": {**each, "required": ["name"]}}


def _door() -> Schema:
    return record(
        service=record(type=choice("ClusterIP", "NodePort", "LoadBalancer"), port=whole(1, 65_535), annotations=LABELS),
        ingress=record(enabled=FLAG, className=TEXT, annotations=LABELS, hosts=NAMES, tls=OPEN_LIST),
    )


def _network() -> Schema:
    return record(
        enabled=FLAG,
        metricsFrom=OPEN_LIST,
        gatewayFrom=OPEN_LIST,
        consoleFrom=OPEN_LIST,
        dns=RULE,
        kafka=RULE,
        records=RULE,
        sinks=RULE,
        extraEgress=OPEN_LIST,
        extraIngress=OPEN_LIST,
    )


def _monitoring() -> Schema:
    return record(
        monitors=record(enabled=FLAG, labels=LABELS, interval=matching(DURATION), scrapeTimeout=matching(DURATION)),
        rules=record(
            enabled=FLAG,
            labels=LABELS,
            runbookBase=matching(r"^https?://[^\s$]+$"),
            runbookSuffix=matching(r"^[^\s$]*$"),
        ),
        dashboards=record(enabled=FLAG, labels=LABELS, annotations=LABELS),
    )


def _keda() -> Schema:
    stage = record(
        enabled=FLAG,
        # Two at least: one that dies is not missed. Never zero: nobody would notice the first record in time.
        minReplicas=whole(1, 1_000),
        maxReplicas=whole(1, 1_000),
        lagThreshold=whole(1, 1_000_000_000),
    )
    stateless = {each.name: stage for each in STAGES if not each.stateful and RAW_TOPICS not in each.reads}
    return record(
        enabled=FLAG,
        pollingInterval=whole(1, 3_600),
        cooldownPeriod=whole(0, 86_400),
        stages=record(**stateless),
    )


def _world() -> dict[str, Schema]:
    """What an installation is called, what it runs on and how it decides."""
    return {
        "nameOverride": TEXT,
        "fullnameOverride": TEXT,
        "commonLabels": LABELS,
        "image": _image(),
        "kafka": _kafka(),
        "strimzi": record(
            cluster=TEXT,
            namespace=TEXT,
            topics=record(enabled=FLAG, feeds=NAMES),
            users=record(enabled=FLAG, further={"type": "array", "items": choice(*FURTHER_COMPONENTS)}),
        ),
        "records": record(existingSecret=TEXT, urlKey=TEXT, tlsExistingSecret=TEXT),
        "config": record(files=_files(), existingConfigMaps=_config_maps(), volume=OPEN, subdirectory=TEXT),
        "settings": {
            "type": "object",
            "propertyNames": matching("^SPILLWAY_[A-Z0-9_]+$"),
            "additionalProperties": {"type": ["string", "number", "boolean"]},
        },
        "logLevel": choice(*LOG_LEVELS),
        "logFormat": choice("json", "text"),
        "tracing": record(
            url=matching(r"^(https?://[^\s/]+/\S*)?$"), ratio={"type": "number", "minimum": 0, "maximum": 1}
        ),
        "stopSeconds": seconds(1, 600),
        "sessionTimeoutSeconds": seconds(1, 300),
        "envFrom": OPEN_LIST,
        "serviceAccount": record(create=FLAG, name=TEXT, annotations=LABELS),
    }


def _pods() -> dict[str, Schema]:
    """What all pods have in common."""
    evicted = choice("IfHealthyBudget", "AlwaysAllow")
    whenever = choice("ScheduleAnyway", "DoNotSchedule")
    return {
        "podSecurityContext": OPEN,
        "containerSecurityContext": OPEN,
        "tmpSizeLimit": matching(QUANTITY),
        "topologySpread": record(zone=whenever, host=whenever),
        "nodeSelector": LABELS,
        "tolerations": OPEN_LIST,
        "priorityClassName": TEXT,
        "podAnnotations": LABELS,
        "podLabels": LABELS,
        "minReadySeconds": whole(0, 3_600),
        "probes": record(startup=PROBE, liveness=PROBE, readiness=PROBE),
        "podDisruptionBudget": record(
            enabled=FLAG,
            maxUnavailable={"type": ["integer", "string"]},
            unhealthyPodEvictionPolicy=record(StatefulSet=evicted, Deployment=evicted),
        ),
    }


def _parts() -> dict[str, Schema]:
    """What runs, and what stands around it."""
    names = (TOGETHER, *(stage.name for stage in STAGES), "gateway", "console")
    scaled = record(
        enabled=FLAG, minReplicas=whole(1, 1_000), maxReplicas=whole(1, 1_000), targetCpuPercent=whole(1, 100)
    )
    return {
        "layout": choice("stages", "together"),
        "components": record(**{name: component() for name in names}),
        "topicsJob": record(
            enabled=FLAG,
            backoffLimit=whole(0, 100),
            activeDeadlineSeconds=whole(1, 86_400),
            kafkaUser=record(existingSecret=TEXT, username=TEXT),
            serviceAccount=record(name=TEXT, annotations=LABELS),
            resources=RESOURCES,
        ),
        "toolbox": record(enabled=FLAG, kafkaUser=record(existingSecret=TEXT, username=TEXT), resources=RESOURCES),
        "shadow": record(
            enabled=FLAG,
            warmUp=matching(r"^[0-9]{1,6}[smhd]$"),
            files=_files(),
            existingConfigMaps=_config_maps(),
            resources=RESOURCES,
        ),
        "gateway": _door(),
        "console": _door(),
        "networkPolicy": _network(),
        "monitoring": _monitoring(),
        "keda": _keda(),
        "autoscaling": record(ingest=scaled, gateway=scaled),
        "global": OPEN,  # helm's own, where the chart is a part of another
    }


def schema() -> Schema:
    """The whole schema."""
    fields = _world() | _pods() | _parts()
    return {"$schema": "http://json-schema.org/draft-07/schema#", "title": "Values of Spillway", **record(**fields)}


def text() -> str:
    """The schema as its file holds it."""
    return json.dumps(schema(), indent=1) + "\n"
