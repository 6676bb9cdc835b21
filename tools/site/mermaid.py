"""Mermaid, which draws the pictures in the reader's browser: fetched once by npm, checked, and served by the site.

The site loads nothing from elsewhere, so that it works where there is no internet. The script is in no commit: it is
other people's, and three megabytes.
"""

from __future__ import annotations

import base64
import hashlib
import shutil
import subprocess
import tarfile
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

VERSION: Final = "11.17.2"
INTEGRITY: Final = "sha512-V6K3C8EBdEsPFZXSKMJe6ppQOENxuHARr9GvHX4hh47lAbhMRD9qf4oEK7LoaRQxULMa80/qt5gHO73aCleBBg=="
"""As the registry has it (`npm view mermaid@VERSION dist.integrity`)."""

CACHE: Final = Path.home() / ".cache" / "spillway" / "site" / f"mermaid-{VERSION}.min.js"
MEMBER: Final = "package/dist/mermaid.min.js"
FETCH_SECONDS_MAX: Final = 120


class MermaidError(Exception):
    """It cannot be had here; the message says why."""


def script() -> bytes:
    """The script.

    Raises:
        MermaidError: there is no npm, or it fetched nothing, or something else.
    """
    if not CACHE.exists():
        CACHE.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=CACHE.parent) as folder:
            fetched = Path(folder) / "script.js"
            fetched.write_bytes(_fetched(Path(folder)))
            fetched.replace(CACHE)
    return CACHE.read_bytes()


def _fetched(folder: Path) -> bytes:
    npm = shutil.which("npm")
    if npm is None:
        raise MermaidError("there is no npm")
    try:
        subprocess.run(  # noqa: S603  # npm as PATH has it, with words of our own
            [npm, "pack", f"mermaid@{VERSION}", "--silent"],
            cwd=folder,
            check=True,
            timeout=FETCH_SECONDS_MAX,
            capture_output=True,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise MermaidError(f"npm fetches no mermaid@{VERSION}: {type(error).__name__}") from error
    archive = folder / f"mermaid-{VERSION}.tgz"
    digest = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    if f"sha512-{digest}" != INTEGRITY:
        raise MermaidError(f"mermaid@{VERSION} is not what it was: sha512-{digest}")
    with tarfile.open(archive) as packed:
        member = packed.extractfile(MEMBER)
        if member is None:
            raise MermaidError(f"mermaid@{VERSION} has no {MEMBER}")
        return member.read()
