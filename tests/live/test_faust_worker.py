"""One stage by Faust's own worker."""

from __future__ import annotations

import orjson

from pipeline.core.step import Effects, Output
from pipeline.examples import one_day
from pipeline.replay import Replay
from tests.live.conftest import MakeSite
from tests.live.site import HANDLED_SECONDS_MAX, Site
from tests.live.worker import FAUST_WORKER
from tests.support import wait_until

STAGE = "dedupe"


def first_alert(site: Site) -> Output:
    """An alert of the stories as ingest would write it."""
    ingest = Replay(site.config).processors["ingest"]
    effects = Effects()
    for record in one_day():
        if record.topic == "alerts.raw.uptimerobot":
            ingest.handle_one(record, effects)
            return effects.outputs[0]
    raise AssertionError("the stories have no alert of an uptime check")


def test_a_stage_serves_by_fausts_own_worker_and_stops_cleanly(make_site: MakeSite) -> None:
    site = make_site(partitions=2)
    site.make_topics()
    worker = site.worker(FAUST_WORKER, stages=(STAGE,)).wait_ready()
    ready = orjson.loads(worker.get("/readyz"))
    assert list(ready["stages"]) == [STAGE]
    assert ready["stages"][STAGE]["partitions"] == [0, 1]
    alert = first_alert(site)
    site.send(alert.topic, alert.value, key=alert.key, partition=1)
    site.flush()
    (episode,) = site.read("episodes", lambda found: len(found) == 1, "one episode")
    assert orjson.loads(episode.value() or b"")["alert"] == orjson.loads(alert.value or b"")
    wait_until(lambda: worker.series()["spillway_records_total"][STAGE,] == 1, HANDLED_SECONDS_MAX, "it is counted")
    assert worker.terminate() == 0, worker.said()
