"""The site: every page is in the navigation, no link or anchor leads nowhere, and nothing comes from elsewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Final

import pytest

from tools.site.nav import SECTIONS, left_out, navigation, pages

ROOT: Final = Path(__file__).parents[2]
LOADED: Final = {"script": "src", "link": "href", "img": "src", "iframe": "src", "source": "src", "object": "data"}
"""What a browser fetches by itself; a link that a reader may follow is none of it."""


def build(place: Path, *more: str) -> subprocess.CompletedProcess[str]:
    """Build the site as `make docs` does."""
    return subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(place), *more],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1", "CI": "true"},
        check=False,
        capture_output=True,
        text=True,
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built strictly: a link or an anchor that leads nowhere ends the build."""
    place = tmp_path_factory.mktemp("site")
    built = build(place)
    assert built.returncode == 0, built.stderr[-3_000:]
    return place


def test_each_page_is_in_the_navigation_once() -> None:
    listed = [page for part in navigation() for named in part.values() for page in named]

    assert left_out() == []
    assert sorted(listed) == pages()


def test_a_page_that_nobody_listed_is_noticed() -> None:
    assert left_out([*pages(), "stray.md", "feeds/new.md"]) == ["stray.md"]


def test_no_part_of_the_navigation_is_empty() -> None:
    assert all(named for part in navigation() for named in part.values())
    assert len({name for _, names in SECTIONS for name in names}) == sum(len(names) for _, names in SECTIONS)


class _Loads(HTMLParser):
    """Collects what a page makes a browser fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "link" and given.get("rel") in {"canonical", "next", "prev", "edit"}:
            return
        if address := given.get(LOADED.get(tag, "")):
            self.found.append(address)


def test_no_page_loads_anything_from_elsewhere(site: Path) -> None:
    strange = []
    for page in site.rglob("*.html"):
        loads = _Loads()
        loads.feed(page.read_text())
        for address in loads.found:
            if re.match(r"(?:https?:)?//", address):
                strange.append(f"{page.name}: {address}")
            elif not address.startswith("data:") and page.name != "404.html":
                assert (page.parent / address.split("?")[0].split("#")[0]).exists(), f"{page}: {address}"
    for sheet in site.rglob("*.css"):
        strange += [
            f"{sheet.name}: {found}"
            for found in re.findall(r"(?:url\(|@import\s*['\"])\s*['\"]?(?:https?:)?//\S+", sheet.read_text())
        ]
    assert strange == []


def test_pictures_are_drawn_by_a_script_of_the_site_itself(site: Path) -> None:
    page = (site / "concepts.html").read_text()

    assert 'class="mermaid"' in page
    assert "assets/mermaid.min.js" in page
    assert (site / "assets" / "mermaid.min.js").stat().st_size > 500_000


def test_pages_from_outside_of_the_folder_are_there_and_linked(site: Path) -> None:
    assert "architecture.html" in (site / "concepts.html").read_text()
    assert "quick-start.html" in (site / "index.html").read_text()
    assert (site / "reporting.html").exists()


def test_a_link_that_leads_nowhere_ends_the_build(tmp_path: Path) -> None:
    copy = tmp_path / "mkdocs.yml"
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "README.md").write_text("# A\n\n[b](#absent)\n")
    text = (ROOT / "mkdocs.yml").read_text().replace("docs_dir: docs", f"docs_dir: {docs}")
    copy.write_text(re.sub(r"(?m)^hooks:.*$", "", text))
    built = build(tmp_path / "site", "--config-file", str(copy))

    assert built.returncode != 0
    assert "absent" in built.stderr + built.stdout
