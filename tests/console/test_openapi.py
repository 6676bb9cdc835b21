"""The API does what its OpenAPI document says, whatever is sent to it: schemathesis asks every operation.

Requests that the document allows and such that it does not; each answer conforms to the document, bad ones are refused,
nothing is a defect, and without a token nothing is answered.
"""

from __future__ import annotations

import subprocess
import sys
from http import HTTPStatus
from pathlib import Path
from typing import Final

import httpx
import pytest

from pipeline.console.app import create_app
from pipeline.console.context import Context
from pipeline.models.console import Rates
from pipeline.models.policy import Config
from pipeline.records.address import async_engine_of
from pipeline.settings import Settings
from tests.console.real import serving, token
from tests.console.sent import Sent
from tests.played import Played, fill

SEED: Final = 20_261_130
EXAMPLES_MAX: Final = 6
ASKED_SECONDS: Final = 30
"""All of it within it on a machine of its own; one that is busy comes less far."""

SECONDS_MAX: Final = 200.0

EXCLUDED: Final = (
    # A cursor that was not given out for this list, a period that ends before it begins, a key that stands for another
    # request: the document cannot say that, and the answer is 422 all the same.
    "positive_data_acceptance",
)


@pytest.fixture
def store(database: str, played: Played) -> str:
    """Address of a records store of one's own that holds the stories."""
    fill(database, played)
    return database


def without_haste(company: Config) -> Config:
    """The company without limits on how often somebody may ask."""
    many = Rates(
        strangers_per_second=10_000, people_per_second=10_000, commands_per_second=10_000, sign_ins_per_minute=10_000
    )
    return company.model_copy(update={"console": company.console.model_copy(update={"rates": many})})


def test_the_api_is_what_its_document_says(store: str, company: Config, tmp_path: Path) -> None:
    context = Context(Settings(records_url=store), without_haste(company), async_engine_of(store, 8), Sent())
    bearer = {"Authorization": f"Bearer {token(store)}"}
    with serving(create_app(context)) as url:
        assert httpx.get(f"{url}/api/v1/openapi.json", timeout=SECONDS_MAX).status_code == HTTPStatus.OK
        done = subprocess.run(
            [
                *(sys.executable, "-m", "schemathesis.cli", "run", f"{url}/api/v1/openapi.json"),
                *("--seed", str(SEED), "--max-examples", str(EXAMPLES_MAX), "--phases", "examples,coverage,fuzzing"),
                *(
                    "--max-time",
                    str(ASKED_SECONDS),
                ),  # one worker: CPython 3.11 miscounts its depth when two threads parse
                *("--checks", "all", "--exclude-checks", ",".join(EXCLUDED)),
                *("--exclude-path", "/api/v1/stream"),  # it has no end; test_stream.py asks it
                # It finds its own token in the list, and revokes it; test_access.py and the role matrix ask this one.
                *("--exclude-path", "/api/v1/tokens/{token_id}"),
                *("--header", f"Authorization: {bearer['Authorization']}"),
                *("--request-timeout", "30", "--suppress-health-check", "all", "--no-shrink", "--continue-on-failure"),
            ],
            capture_output=True,
            text=True,
            timeout=SECONDS_MAX,
            check=False,
            cwd=tmp_path,  # where it keeps what it has found
        )
        still = httpx.get(f"{url}/api/v1/me", headers=bearer, timeout=SECONDS_MAX)
    assert done.returncode == 0, f"seed {SEED}\n{done.stdout[-20_000:]}\n{done.stderr[-5_000:]}"
    assert still.status_code == HTTPStatus.OK, "it was signed in to the end, so what it asked was answered"
