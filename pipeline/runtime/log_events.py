"""Every event that a process logs, with its level and what it means; `docs/logs.md` is made of it."""

from __future__ import annotations

from typing import Final, NamedTuple

DEBUG: Final = "debug"
INFO: Final = "info"
WARNING: Final = "warning"
ERROR: Final = "error"


class Event(NamedTuple):
    """What one event means.

    Attributes:
        level: how bad it is; nothing below is left out by it.
        meaning: one sentence for an operator.
    """

    level: str
    meaning: str


EVENTS: Final[dict[str, Event]] = {
    # the end of a process
    "fatal": Event(ERROR, "A defect, a failed commit or a lost partition ends the process; nothing was committed."),
    "refused": Event(ERROR, "What is on the brokers does not fit, so the process ends; ``why`` says what to do."),
    "stop took too long": Event(ERROR, "Asked to stop, and not done in time; nothing of the open batch was committed."),
    "process stops": Event(INFO, "A gateway or console was asked to stop and answers what has come."),
    # stages
    "state not kept": Event(INFO, "A partition came back and somebody else had it meanwhile: it is restored anew."),
    "record quarantined": Event(ERROR, "A record that crashed workers again and again is in the dead letter, unread."),
    "topic not read": Event(WARNING, "A raw topic appeared after the start; ``do`` says how it is read."),
    "tick not written": Event(WARNING, "Deadlines wait: the brokers did not take a tick. It is tried every second."),
    "look ahead interrupted": Event(WARNING, "What is urgent in a backlog waits for its turn: brokers do not answer."),
    "second look failed": Event(WARNING, "An adapter has a defect: a message of a backlog was not looked at early."),
    "pressure unknown": Event(WARNING, "Ingest cannot learn how far stages are behind, and holds no feed back."),
    "console overload unknown": Event(WARNING, "The board cannot tell how far stages are behind."),
    "read mark not written": Event(WARNING, "Silences of feeds are told later: the brokers did not take a mark."),
    "version not told": Event(WARNING, "A new configuration waits: the brokers did not take the tick that names it."),
    "figure left out": Event(WARNING, "A gauge has too many labels, or is not declared: a defect of ours."),
    # configuration
    "configuration loaded": Event(INFO, "The directory has changed, and what it holds is good."),
    "configuration unchanged": Event(INFO, "Asked to look again, and nothing has changed."),
    "configuration refused": Event(ERROR, "The directory has changed and cannot be used; the former one decides on."),
    "configuration in force": Event(INFO, "From these offsets on a partition decides by another configuration."),
    # outwards
    "sink down": Event(WARNING, "A sink is not asked any more but for a try now and then."),
    "sink back": Event(INFO, "A sink answers again."),
    "sink not polled": Event(WARNING, "A sink could not be asked for what changed there."),
    "sink not reconciled": Event(WARNING, "A sink could not be compared with what we know."),
    "defect in a sink": Event(ERROR, "A sink's code raised: the delivery is given up, others go on."),
    # records store
    "retention": Event(INFO, "Old records were removed from the store."),
    "retention failed": Event(WARNING, "Old records could not be removed; it is tried again."),
    "store caught up": Event(INFO, "The records store has been told all that there was."),
    # gateway
    "gateway refused": Event(INFO, "A request was not taken; ``reason`` as in the metrics."),
    "gateway defect": Event(ERROR, "A request raised; it was answered with 500."),
    "gateway subscription waits": Event(WARNING, "SNS asks for a confirmation that the configuration does not allow."),
    "gateway subscription confirmed": Event(INFO, "A subscription of SNS was confirmed."),
    "kafka reachable": Event(INFO, "The brokers answer, or do not any more (``up``)."),
    # console
    "console request": Event(INFO, "One request, without its query and body."),
    "console defect": Event(ERROR, "A request raised; it was answered with 500."),
    "console store": Event(WARNING, "The records store answers, or does not any more."),
    "console listens to the store": Event(INFO, "Changes of the store come in, or do not any more (``up``)."),
    "console receipts dropped": Event(INFO, "Receipts of old commands were removed."),
    "console receipts not dropped": Event(WARNING, "Receipts of old commands could not be removed."),
    "console command not sent": Event(ERROR, "A person's command did not reach Kafka; the person was told so."),
    "maturity not counted": Event(WARNING, "Figures of the practice could not be counted."),
    "issuer-away": Event(WARNING, "The issuer of sign-ins does not answer."),
    "sign-in-refused": Event(WARNING, "Somebody was not let in; ``because`` says why."),
    "access-log-lost": Event(ERROR, "Entries of the access log are lost: too many came while the store was away."),
    "access-log-waits": Event(WARNING, "Entries of the access log wait for the store."),
    "access-log-not-swept": Event(WARNING, "Old entries of the access log could not be removed."),
    # shadow
    "shadow runs": Event(INFO, "A shadow configuration decides beside the active one."),
    "shadow ended": Event(INFO, "It does not any more."),
    "shadow refused": Event(WARNING, "A shadow configuration cannot be used."),
    # watch
    "probe through": Event(INFO, "The probe gets through again, or for the first time."),
    "probe not through": Event(ERROR, "The probe does not get through; ``waiting_for`` names who does not have it."),
    "ping failed": Event(WARNING, "The address outside did not take the ping."),
    # traces
    "traces are not taken": Event(WARNING, "The collector does not take spans; they are counted and left out."),
    "traces are taken again": Event(INFO, "It does again."),
    # libraries
    "library": Event(WARNING, "A line of a library's own, with its ``logger``, ``message`` and level."),
}
