"""What is kept for late topology: whatever happens, who is to be examined is what a search of everything finds."""

from __future__ import annotations

from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.clustering import late
from pipeline.core.clustering.late import UNEXAMINED, Late
from tests.core.builders import alert

VERSIONS = st.sampled_from([UNEXAMINED, "one", "two"])
DEEDS = st.tuples(st.sampled_from(["keep", "keep", "forget", "examined", "ask"]), st.integers(0, 9), VERSIONS)
KEPT_MAX = 6


def searched(kept: Late, version: str) -> list[str]:
    """The same from the records alone, as after a restart."""
    again = Late()
    for name in (f"e{number}" for number in range(10)):
        if (record := kept.dump(name)) is not None:
            again.load(name, record)
    again.restored()
    return list(again.unexamined(version))


@given(st.lists(DEEDS, max_size=40))
def test_who_is_to_be_examined_is_known_without_a_search_of_everything(deeds: list[tuple[str, int, str]]) -> None:
    kept = Late()
    with patch.object(late, "KEPT_MAX", KEPT_MAX):
        for order, (deed, which, version) in enumerate(deeds):
            name = f"e{which}"
            if deed == "keep" and name not in kept:  # an episode begins once
                kept.keep(name, alert(), version, order)
            elif deed == "forget":
                kept.forget(name)
            elif deed == "examined" and name in kept and version:
                kept.examined(name, version)
            elif deed == "ask" and version:
                assert list(kept.unexamined(version)) == searched(kept, version)


def test_the_second_question_of_a_version_looks_at_none_that_was_examined() -> None:
    kept = Late()
    for number in range(100):
        kept.keep(f"e{number}", alert(), "one", number)
    with patch.object(Late, "_search", autospec=True, side_effect=Late._search) as search:
        while (name := next(kept.unexamined("two"), None)) is not None:
            kept.examined(name, "two")
        assert search.call_count == 1
