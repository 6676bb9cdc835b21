"""Hooks of mkdocs: the navigation, pages from outside of docs/, links to what is no page, and pictures in Mermaid."""

from __future__ import annotations

import os
import posixpath
import re
import sys
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))  # mkdocs loads this file by its path

from mkdocs.structure.files import File, Files  # noqa: E402  # after the path

from tools.site.mermaid import MermaidError, script  # noqa: E402
from tools.site.nav import OUTSIDE, navigation  # noqa: E402

SCRIPT: Final = "assets/mermaid.min.js"
_LINK: Final = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)\s]+)\)")
_FENCE: Final = re.compile(r"^(```.*?^```[^\n]*$)", re.MULTILINE | re.DOTALL)


def on_config(config: Any) -> Any:
    """Put the navigation in."""
    config["nav"] = navigation()
    return config


def on_files(files: Files, *, config: Any) -> Files:
    """Add the pages from elsewhere, and Mermaid where it can be had."""
    for name, source in OUTSIDE.items():
        files.append(File.generated(config, name, abs_src_path=str(ROOT / source)))
    try:
        files.append(File.generated(config, SCRIPT, content=script()))
        config["extra_javascript"] = [SCRIPT]
    except MermaidError as error:
        if os.environ.get("CI") == "true":
            raise
        sys.stderr.write(f"pictures stay text: {error}\n")
    return files


def on_page_markdown(markdown: str, *, page: Any, config: Any, files: Files) -> str:
    """Turn links to files of the repository into pages of the site, or into plain words where there is none."""
    del config
    here = OUTSIDE.get(page.file.src_uri, f"docs/{page.file.src_uri}")
    there = {f"docs/{each.src_uri}": each.src_uri for each in files}
    there |= {source: name for name, source in OUTSIDE.items()}
    parts = _FENCE.split(markdown)
    return "".join(
        part if number % 2 else _LINK.sub(lambda found: _linked(found, here, page.file.src_uri, there), part)
        for number, part in enumerate(parts)
    )


def _linked(found: re.Match[str], here: str, page: str, there: dict[str, str]) -> str:
    """One link as the site has it."""
    mark, label, address = found.groups()
    if re.match(r"[a-z]+:|#", address):
        return found[0]
    path, _, anchor = address.partition("#")
    target = posixpath.normpath(posixpath.join(posixpath.dirname(here), path))
    name = there.get(target) or there.get(f"{target}/README.md")
    if name is None:
        return label  # a file of the repository that is no page: its name stays
    relative = posixpath.relpath(name, posixpath.dirname(page) or ".")
    return f"{mark}[{label}]({relative}{'#' + anchor if anchor else ''})"
