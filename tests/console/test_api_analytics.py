"""Analytics over HTTP: the same figures as the functions give, for whom they are, of the period that is asked for."""

from __future__ import annotations

import csv
from functools import partial
from io import StringIO
from typing import Any

import orjson
import pytest
from click.testing import CliRunner

from pipeline.cli.stats import stats
from pipeline.models.command import Role
from pipeline.records.analytics.figures import By
from pipeline.records.analytics.maturity import maturity
from pipeline.records.analytics.periods import quarter
from pipeline.records.store import RecordsStore
from tests.console.conftest import Client, somebody

AT = "/api/v1/analytics"
QUARTER = "quarter=2026-Q1"


def ask(client: Client, path: str, *domains: str) -> Any:
    answer = client(somebody(Role.VIEWER, *domains)).get(f"{AT}/{path}")
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_figures_are_of_the_domains_that_the_asker_may_see(client: Client) -> None:
    everything = ask(client, f"maturity?{QUARTER}&by=domain")
    assert {each["label"]: each["incidents"] for each in everything["groups"]} == {
        "workplace": 4, "default": 1, "hospital": 1, "retail": 1,
    }  # fmt: skip
    own = ask(client, f"maturity?{QUARTER}&by=domain", "retail")
    assert [each["label"] for each in own["groups"]] == ["retail"]
    assert own["whole"]["alerts"] == 14
    assert ask(client, f"noise?{QUARTER}", "retail")[0]["hidden"] == {
        "flapping": 12, "maintenance": 5, "repeats": 69, "transient": 2,
    }  # fmt: skip


def test_groups_are_told_apart_by_two_columns_and_no_more(client: Client) -> None:
    found = ask(client, f"maturity?{QUARTER}&by=priority&by=domain")
    assert [each["label"] for each in found["groups"]] == [
        "P1, hospital", "P1, retail", "P3, workplace", "P4, default", "P4, workplace",
    ]  # fmt: skip
    refused = client(somebody()).get(f"{AT}/maturity?by=priority&by=domain&by=owner")
    assert refused.status_code == 422


@pytest.mark.parametrize(
    "path",
    [
        f"quarters?count=3&{QUARTER}",
        f"comparison?{QUARTER}",
        f"trend?measure=acknowledge&every=day&{QUARTER}&zone=Europe/Vienna",
        f"states?{QUARTER}",
        f"escalations?{QUARTER}&by=owner",
        f"repeats?{QUARTER}&by=service",
        "maturity",
    ],
)
def test_every_question_is_answered(client: Client, path: str) -> None:
    assert ask(client, path) is not None


@pytest.mark.parametrize(
    ("path", "because"),
    [
        ("maturity?quarter=2026-Q5", "is no quarter"),
        ("maturity?quarter=2026-Q1&since=2026-01-01", "not both"),
        ("maturity?since=2026-02-01&until=2026-01-01", "not after its start"),
        ("maturity?since=yesterday", "is no moment"),
        ("maturity?since=9999-12-31", "only years"),
        ("maturity?zone=Atlantis/Capital", "no time zone"),
        ("maturity?zone=../../etc/passwd", "no time zone"),
        ("comparison?since=2026-01-01", "name both"),
        ("trend?measure=incidents&since=2026-01-01", "a start and an end"),
        ("trend?measure=incidents&every=day&since=2000-01-01&until=2020-01-01", "more than 1000 steps"),
        ("noise?by=owner", "by domain or by service"),
    ],
)
def test_what_is_no_question_is_refused_in_words(client: Client, path: str, because: str) -> None:
    answer = client(somebody()).get(f"{AT}/{path}")
    assert answer.status_code == 422
    assert because in answer.json()["detail"]


def test_nobody_who_is_not_known_is_told_anything(client: Client) -> None:
    assert client(None).get(f"{AT}/maturity").status_code == 401


def test_the_api_the_functions_and_the_command_line_give_the_same_figures(client: Client, stories: str) -> None:
    told = ask(client, f"maturity?{QUARTER}&by=priority&by=domain")
    store = RecordsStore(stories)
    asked = partial(maturity, scope=None, period=quarter(2026, 1), by=(By.PRIORITY, By.DOMAIN))
    counted = orjson.loads(orjson.dumps(store.ask(asked)))
    store.close()
    arguments = ["--records-url", stories, "--quarter", "2026-Q1", "--by", "priority", "--by", "domain", "--json"]
    written = orjson.loads(CliRunner().invoke(stats, arguments).output)["maturity"]
    assert told["whole"] == counted["whole"] == written["whole"]
    assert told["groups"] == counted["groups"] == written["groups"]
    assert told["whole"]["acknowledge"] == {"count": 3, "mean": 425.0, "median": 540.0, "p90": 636.0}


def test_an_export_holds_the_incidents_of_the_asker_and_is_safe_in_a_spreadsheet(client: Client) -> None:
    console = client(somebody(Role.VIEWER, "retail"))
    answer = console.get(f"{AT}/export?{QUARTER}")
    assert answer.headers["content-type"].startswith("text/csv")
    assert 'filename="spillway-incidents-2026-Q1.csv"' in answer.headers["content-disposition"]
    head, *rows = csv.reader(StringIO(answer.text))
    assert {row[head.index("domain")] for row in rows} == {"retail"}
    assert not any(cell.startswith(("=", "+", "@")) for row in rows for cell in row)
    everything = client(somebody()).get(f"{AT}/export?{QUARTER}").text.splitlines()
    assert len(everything) > len(rows) + 1
    assert client(somebody()).get(f"{AT}/export?{QUARTER}&domain=retail").text == answer.text
    assert console.get(f"{AT}/export?{QUARTER}&domain=hospital").status_code == 404


def test_figures_are_exported_by_group_and_as_parquet(client: Client) -> None:
    console = client(somebody())
    rows = list(csv.DictReader(StringIO(console.get(f"{AT}/export?{QUARTER}&of=figures&by=domain").text)))
    assert {row["label"]: row["incidents"] for row in rows}["workplace"] == "4"
    assert console.get(f"{AT}/export?{QUARTER}&format=parquet").content[:4] == b"PAR1"
    assert console.get(f"{AT}/export?quarter=never").status_code == 422
    assert console.get(f"{AT}/export?format=xls").status_code == 422


def test_the_page_links_exports_of_what_it_shows(client: Client) -> None:
    page = client(somebody()).get(f"/analytics?{QUARTER}&domain=retail&by=service").text
    assert "/api/v1/analytics/export?quarter=2026-Q1&amp;domain=retail&amp;format=parquet" in page
    assert "/api/v1/analytics/export?quarter=2026-Q1&amp;domain=retail&amp;by=service&amp;of=figures" in page
