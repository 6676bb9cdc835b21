"""Credentials in the repository: ``python -m tools.credentials [FILE...]`` (make secrets).

Looks through every file that git knows, or through those that are named: shapes that vendors give their tokens, private
keys, addresses with a password, and values of chance where a name says that a secret stands there. What is meant to be
there (examples, keys of tests) is told apart by what it says, or by the word of `ALLOWED` on its line. No finding is
ever quoted: a log of CI is read by more people than the file.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from math import log2
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).parents[1]
ALLOWED: Final = "not-a-secret"
"""On the line of what only looks like one."""

FILE_BYTES_MAX: Final = 5 << 20
LINE_CHARACTERS_MAX: Final = 20_000
"""Of a longer one the beginning is looked at: recordings have such, people do not write them."""

ENTROPY_BITS_MIN: Final = 3.7
"""A character of a key has four bits in hexadecimal and up to six in base64; words have less than three and a half."""

VALUE_CHARACTERS_MIN: Final = 20

SHAPES: Final = {
    "AWS access key": re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"),
    "GitHub token": re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{60,})"),
    "GitLab token": re.compile(r"\bglpat-[A-Za-z0-9_-]{20}"),
    "Slack token": re.compile(r"\bxox[abeoprs]-[0-9]{6,}-[A-Za-z0-9-]{10,}"),
    "Slack webhook": re.compile(r"hooks\.slack\.com/services/T[A-Z0-9]{8,}/B[A-Z0-9]{8,}/[A-Za-z0-9]{20,}"),
    "Google API key": re.compile(r"\bAIza[0-9A-Za-z_-]{35}\b"),
    "Stripe key": re.compile(r"\b[rs]k_live_[0-9A-Za-z]{20,}"),
    "PyPI token": re.compile(r"\bpypi-AgEIcHlwaS5vcmc[A-Za-z0-9_-]{40,}"),
    "npm token": re.compile(r"\bnpm_[A-Za-z0-9]{36}\b"),
    "PagerDuty key": re.compile(r"\b(?:u\+|y_NbAkKc)[A-Za-z0-9_+-]{18}\b"),
    "Spillway token": re.compile(r"\bspw_[0-9a-f]{12}_[A-Za-z0-9_-]{40,}"),
    "signed token": re.compile(r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{30,}"),
}
"""Kind -> what it looks like, whatever stands around it."""

_KEY_BEGINS: Final = re.compile(r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----(?P<rest>.*)")
_KEY_BODY: Final = re.compile(r"[\"'\s]*(?:\\n)?[A-Za-z0-9+/=]{32,}")
_NAMED: Final = re.compile(
    r"""(?ix)(?:password|passwd|secret|token|api[_-]?key|private[_-]?key|credential)s?["']?\s*(?::|=|:=)\s*[rbf]?["']
    (?P<value>[A-Za-z0-9+/=_.~-]{20,})["']"""
)
_ADDRESS: Final = re.compile(
    r"[a-z][a-z0-9+]{2,}://[^\s/:@'\"{}<>$]+:(?P<value>[^\s/:@'\"{}<>$]{8,})@[a-z0-9]", re.IGNORECASE
)
_PLAIN: Final = re.compile(
    r"(?i)example|secret|password|token|test|sample|dummy|changeme|placeholder|xxxx|1234|whsec_|fake|your"
)
"""A value that says itself what it is."""


_PUBLISHED: Final = ("8f742231b10e8888abcd99yyyzzz85a5", "AKIAABCDEFGHIJKLMNOP", "PagerDutyRestKey")
"""Examples that vendors print in their documentation, and tests repeat; what else stands on their lines counts."""


class Finding(NamedTuple):
    """Something that looks like a credential; its value is nowhere in it."""

    file: str
    line: int
    kind: str

    def __str__(self) -> str:
        advice = f"take it out and revoke it, or say {ALLOWED} on its line"
        return f"{self.file}:{self.line}: looks like a {self.kind}; {advice}"


def entropy_bits(text: str) -> float:
    """Bits of chance in a character of a text, by how often each of its characters comes."""
    return -sum(count / len(text) * log2(count / len(text)) for count in Counter(text).values()) if text else 0.0


def findings(name: str, text: str) -> Iterator[Finding]:
    """What looks like a credential in a text."""
    lines = text.splitlines()
    for number, whole in enumerate(lines, start=1):
        if ALLOWED in whole:
            continue
        if (key := _KEY_BEGINS.search(whole)) and _KEY_BODY.match(key["rest"] or "".join(lines[number : number + 1])):
            yield Finding(name, number, "private key")
        line = whole[:LINE_CHARACTERS_MAX]
        for published in _PUBLISHED:
            line = line.replace(published, "")
        for kind, shape in SHAPES.items():
            if shape.search(line):
                yield Finding(name, number, kind)
        for found in _NAMED.finditer(line):
            if _by_chance(found["value"]):
                yield Finding(name, number, "secret of chance")
        for found in _ADDRESS.finditer(line):
            if _by_chance(found["value"]):
                yield Finding(name, number, "password in an address")


def _by_chance(value: str) -> bool:
    """Whether nobody would write it by hand: long, of many characters, with digits among letters, saying nothing."""
    if len(value) < VALUE_CHARACTERS_MIN or _PLAIN.search(value):
        return False
    mixed = any(each.isdigit() for each in value) and any(each.isalpha() for each in value)
    return mixed and entropy_bits(value) >= ENTROPY_BITS_MIN


def tracked(root: Path = ROOT) -> list[Path]:
    """Every file that git knows, or would take."""
    said = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],  # noqa: S607  # git as PATH has it
        cwd=root, capture_output=True, check=True,
    ).stdout.decode()  # fmt: skip
    return [root / name for name in said.split("\0") if name]


def looked(files: Iterable[Path], root: Path = ROOT) -> tuple[int, list[Finding]]:
    """How many files were read, and what was found in them; what is no text is passed over."""
    count = 0
    found: list[Finding] = []
    for file in files:
        if not file.is_file() or file.is_symlink() or file.stat().st_size > FILE_BYTES_MAX:
            continue
        try:
            text = file.read_bytes().decode()
        except UnicodeDecodeError:
            continue
        count += 1
        name = str(file.relative_to(root)) if file.is_relative_to(root) else str(file)
        found += findings(name, text)
    return count, found


def main(arguments: Sequence[str] | None = None) -> int:
    """Look; 1 where something is found."""
    named = sys.argv[1:] if arguments is None else arguments
    count, found = looked([Path(each) for each in named] or tracked())
    sys.stdout.write("".join(f"{each}\n" for each in found))
    sys.stdout.write(f"{count} files, {len(found)} findings\n")
    return 1 if found or not count else 0


if __name__ == "__main__":
    sys.exit(main())
