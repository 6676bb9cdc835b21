"""The page of the gateway agrees with it: its example is a configuration, its table has every scheme and field."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel

from pipeline.catalog import load_config
from pipeline.gateway.process import rules_of
from pipeline.models.gateway import Authentication, GatewayFeed

PAGE = (Path(__file__).parents[2] / "docs" / "gateway.md").read_text()


def schemes() -> dict[str, type[BaseModel]]:
    union = get_args(Authentication)[0]
    return {get_args(model.model_fields["scheme"].annotation)[0]: model for model in get_args(union)}


def rows_of(title: str) -> dict[str, str]:
    """The rows of the first table below a title, by the code in their first cell."""
    table = PAGE.partition(title)[2].partition("\n\n|")[2].partition("\n\n")[0]
    return {found[1]: line for line in table.splitlines() if (found := re.match(r"\| `([\w-]+)`", line))}


def test_the_example_is_a_configuration(tmp_path: Path) -> None:
    example = re.search(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    assert example
    (tmp_path / "feeds.yaml").write_text(example[1])
    assert set(rules_of(load_config(tmp_path))) == {"alertmanager", "cloudwatch", "jira", "pagerduty", "uptimerobot"}


def test_the_table_has_every_scheme_with_its_fields() -> None:
    rows = rows_of("## Schemes")
    assert set(rows) == set(schemes())
    for name, model in schemes().items():
        missing = [field for field in model.model_fields if field != "scheme" and f"`{field}`" not in rows[name]]
        assert not missing, f"{name}: {missing}"


def test_every_field_of_a_feed_is_told() -> None:
    missing = [field for field in GatewayFeed.model_fields if not re.search(rf"`{field}[`:]|\b{field}: ", PAGE)]
    assert not missing


def defaults() -> dict[str, Any]:
    return {name: field.default for name, field in GatewayFeed.model_fields.items()}


def test_defaults_are_those_of_the_code() -> None:
    assert str(defaults()["body_bytes_max"]) in rows_of("Keys are hashes")["body_bytes_max"]
    rates = rows_of("Keys are hashes")["requests_per_second"]
    assert f"{defaults()['requests_per_second']:g}, {defaults()['burst']}" in rates
