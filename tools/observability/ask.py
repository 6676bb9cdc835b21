"""Asks a Prometheus what every panel asks: ``python -m tools.observability.ask http://localhost:9090``.

Exit code 1 where it refuses a query. A panel without an answer is named: there is nothing of it yet, or nobody scrapes
it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from http import HTTPStatus
from typing import Final
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import urlopen

from tools.observability.dashboards import DASHBOARDS

ANSWER_SECONDS_MAX: Final = 30


class Refused(Exception):
    """Prometheus does not take a query; the message says why."""


def ask(address: str, expression: str) -> int:
    """How many series answer a query.

    Raises:
        Refused: it is wrong.
        OSError: nobody answers.
    """
    query = urlencode({"query": expression})
    try:
        url = f"{address}/api/v1/query?{query}"
        with urlopen(url, timeout=ANSWER_SECONDS_MAX) as answer:  # noqa: S310  # whoever calls it names the address
            return len(json.load(answer)["data"]["result"])
    except HTTPError as error:
        if error.code >= HTTPStatus.INTERNAL_SERVER_ERROR:  # not ready yet
            raise
        raise Refused(error.read().decode(errors="replace")) from error


def queries() -> Iterator[tuple[str, str]]:
    """Panel and query, with everything chosen."""
    for dashboard in DASHBOARDS:
        for panel in dashboard.panels:
            for query in panel.queries:
                everything = query.expression.replace("$namespace", ".*").replace("$stage", ".*")
                yield f"{dashboard.title} / {panel.title}", everything


def main(address: str) -> int:
    """Ask everything and tell; the exit code."""
    refused = empty = answered = 0
    for name, query in queries():
        try:
            count = ask(address, query)
        except Refused as error:
            refused += 1
            sys.stdout.write(f"REFUSED  {name}: {query}: {error}\n")
            continue
        answered += count > 0
        if not count:
            empty += 1
            sys.stdout.write(f"nothing  {name}: {query}\n")
    sys.stdout.write(f"{answered} queries answered, {empty} with nothing to tell, {refused} refused\n")
    return 1 if refused else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1].rstrip("/")))
