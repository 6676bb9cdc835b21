"""The index of maintenance windows answers what a look at every window would."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core.alerts.maintenance import MaintenanceIndex
from pipeline.core.topology import Topology
from pipeline.models.alert import Alert
from pipeline.models.maintenance import MaintenanceWindow
from tests.core.builders import DB, HOST, MINUTE, PAY, SHOP, T0, alert, catalogue, moment

TOPOLOGY = Topology(catalogue())
REFERENCE = {"pay-db": DB, "node-1": HOST, "shop": SHOP, DB: DB}
LABELS = st.dictionaries(st.sampled_from(["team", "rack"]), st.sampled_from(["a", "b"]), max_size=2)
MINUTES = st.integers(0, 6)


@st.composite
def windows(draw: st.DrawFn) -> MaintenanceWindow:
    start = draw(MINUTES)
    return MaintenanceWindow(
        name="w",
        start=moment(T0 + start * MINUTE),
        end=moment(T0 + (start + draw(st.integers(1, 6))) * MINUTE),
        targets=tuple(draw(st.lists(st.sampled_from(["pay-db", "Node-1", "shop", "Lab-7", DB]), max_size=2))),
        labels=draw(LABELS),
    )


@st.composite
def alerts(draw: st.DrawFn) -> Alert:
    entity = draw(st.sampled_from([SHOP, PAY, DB, HOST, None]))
    return alert(entity=entity, host=draw(st.sampled_from([None, "lab-7", "LAB-7", "node-1"])), labels=draw(LABELS))


def covers(window: MaintenanceWindow, about: Alert) -> bool:
    wanted = [target.lower() for target in window.targets]
    if any(about.labels.get(name) != value for name, value in window.labels.items()):
        return False
    if not wanted:
        return bool(window.labels)
    if about.host is not None and about.host.lower() in wanted:
        return True
    places = TOPOLOGY.runs_on(about.entity) if about.entity else set()
    return any(REFERENCE.get(target) in places for target in wanted)


@settings(max_examples=200, deadline=None)
@given(st.lists(windows(), max_size=6), st.lists(st.tuples(alerts(), st.integers(-1, 13)), max_size=8))
def test_the_index_agrees_with_a_look_at_every_window(
    planned: list[MaintenanceWindow], asked: list[tuple[Alert, int]]
) -> None:
    index = MaintenanceIndex(planned, TOPOLOGY)
    known = [(each.start, each.end, each) for each in planned if each.start is not None and each.end is not None]
    for about, minute in asked:
        now = moment(T0 + minute * MINUTE)
        ends = [end for start, end, each in known if start <= now < end and covers(each, about)]
        expected = round(max(ends).timestamp() * 1_000) if ends else None
        assert index.until_ms(about, T0 + minute * MINUTE) == expected
