"""What a browser shows of a request that is not done: a page, in words, with a way on."""

from __future__ import annotations

from tests.console.conftest import Client, somebody
from tests.console.reading import words

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


def test_a_page_that_is_not_there_says_so_in_words_and_leads_on(client: Client) -> None:
    for path in ("/incidents/INC-NOPE", "/problems/PRB-NOPE", "/services/nothing", "/nothing-at-all"):
        answer = client(somebody()).get(path, headers=BROWSER)
        assert answer.status_code == 404, path
        assert answer.headers["content-type"].startswith("text/html"), path
        assert "There is nothing here" in words(answer.text), path
        assert 'href="/"' in answer.text
        assert "Accept" in answer.headers["vary"]


def test_what_is_named_in_a_refusal_stands_in_the_page_as_words(client: Client) -> None:
    answer = client(somebody()).get("/incidents/<script>alert(1)<", headers=BROWSER)
    assert answer.status_code == 404
    assert "<script>alert" not in answer.text
    assert "<script>alert(1)<" in words(answer.text)


def test_a_filter_that_is_none_is_refused_on_a_page(client: Client) -> None:
    answer = client(somebody()).get("/suppression?days=900", headers=BROWSER)
    assert answer.status_code == 422
    assert "This cannot be done" in words(answer.text)
    assert "Days: " in words(answer.text)


def test_programs_and_parts_of_pages_read_problem_details(client: Client) -> None:
    console = client(somebody())
    for path, headers in (
        ("/incidents/INC-NOPE", {}),
        ("/incidents/INC-NOPE", BROWSER | {"X-Fragment": "main"}),
        ("/api/v1/incidents/INC-NOPE", BROWSER),
    ):
        answer = console.get(path, headers=headers)
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/problem+json"
