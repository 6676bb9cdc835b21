"""The baselines label by their own rule, each shown on the smallest stream that tells it from the others."""

from __future__ import annotations

import pytest

from benchmarks.quality.baselines import baselines
from benchmarks.quality.episodes import Episode
from pipeline.models.catalog import Catalogue, Entity


def entity(name: str, *needs: str) -> Entity:
    ref = f"component:default/{name}"
    return Entity(
        ref=ref,
        kind="component",
        name=name,
        title=name,
        depends_on=tuple(f"component:default/{need}" for need in needs),
    )


CATALOGUE = Catalogue(entities={each.ref: each for each in (entity("web", "cart"), entity("cart"), entity("mail"))})


def episode(
    name: str,
    seconds: int,
    service: str | None = "web",
    *,
    alert: str = "Slow",
    text: str = "",
    ended: int | None = None,
) -> Episode:
    return Episode(
        episode_id=name,
        at_ms=seconds * 1_000,
        event_at_ms=seconds * 1_000,
        name=alert,
        text=text or name,
        service=service and f"component:default/{service}",
        application="shop" if service in ("web", "cart") else service,
        host=None,
        labels={},
        by_people=False,
        place=("alerts.raw.a", 0, 0),
        ended_at_ms=None if ended is None else ended * 1_000,
    )


@pytest.mark.parametrize(
    ("method", "stream", "groups"),
    [
        ("global gap 30 s", [episode("a", 0), episode("b", 30, "mail"), episode("c", 61)], ["ab", "c"]),
        ("global gap 60 s", [episode("a", 0), episode("b", 30, "mail"), episode("c", 61)], ["abc"]),
        ("service, 15 minutes", [episode("a", 0), episode("b", 10, "cart"), episode("c", 900)], ["ac", "b"]),
        ("application, 600 s", [episode("a", 0), episode("b", 10, "cart"), episode("c", 20, "mail")], ["ab", "c"]),
        ("application, 600 s", [episode("a", 0), episode("b", 601, "cart")], ["a", "b"]),
        (
            "topology, 1 hop, 600 s",
            [episode("a", 0, "web"), episode("b", 9, "mail"), episode("c", 10, "cart"), episode("d", 20, None)],
            ["ac", "b", "d"],
        ),
        (
            "text, single link",
            [
                episode("a", 0, text="checkout payment gateway timeout"),
                episode("b", 10, text="checkout payment gateway timeout again"),
                episode("c", 20, text="disk full"),
            ],
            ["ab", "c"],
        ),
        (
            "Alertmanager by service",
            [episode("a", 0, ended=50), episode("b", 40, ended=60), episode("c", 55), episode("d", 9_000)],
            ["abcd"],
        ),
        ("Alertmanager by service", [episode("a", 0, ended=50), episode("b", 51)], ["a", "b"]),
        (
            "Alertmanager by alert name and application",
            [episode("a", 0), episode("b", 5, "cart"), episode("c", 6, alert="Down")],
            ["ab", "c"],
        ),
    ],
)
def test_a_baseline_groups_by_its_rule(method: str, stream: list[Episode], groups: list[str]) -> None:
    labels = baselines()[method](stream, CATALOGUE)
    found: dict[str, str] = {}
    for each in stream:
        found[labels[each.episode_id]] = found.get(labels[each.episode_id], "") + each.episode_id

    assert sorted(found.values()) == sorted(groups)
