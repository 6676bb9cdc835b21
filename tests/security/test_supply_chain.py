"""What the product stands on: no credential in the repository, no advisory waved through, a bill of parts."""

from __future__ import annotations

import json
import random
import re
import string
import subprocess
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any, Final

import pytest

from tests.docs.reader import MAKE
from tools import audit, credentials

ROOT: Final = Path(__file__).parents[2]
TODAY: Final = date(2026, 12, 1)


# The same each time: one value of chance in two hundred is too even to be found.
NUMBERS: Final = random.Random(20_261_201)  # noqa: S311  # secrets of nobody


def chance(length: int, alphabet: str = string.ascii_letters + string.digits) -> str:
    """A value of chance with letters and digits, made when the test runs, so that none stands in a file."""
    return "a1B2" + "".join(NUMBERS.choice(alphabet) for _ in range(length - 4))


PLANTED: Final[dict[str, Callable[[], str]]] = {
    "private key": lambda: "-----BEGIN RSA " + "PRIVATE KEY-----\n" + chance(64),
    "private key in one line": lambda: 'key = "-----BEGIN ' + "PRIVATE KEY-----\\n" + chance(64) + '"',
    "AWS access key": lambda: "id: AKIA" + "".join(NUMBERS.choice(string.ascii_uppercase) for _ in range(16)),
    "GitHub token": lambda: "ghp_" + chance(36),
    "GitLab token": lambda: "glpat-" + chance(20),
    "Slack token": lambda: "xoxb-" + "123456789012-" + chance(24),
    "Slack webhook": lambda: "https://hooks.slack" + ".com/services/T01ABCDEFGH/B01ABCDEFGH/" + chance(24),
    "Google API key": lambda: "AIza" + chance(35),
    "npm token": lambda: "npm_" + chance(36),
    "Spillway token": lambda: "spw_0123456789ab_" + chance(43),
    "signed token": lambda: ".".join(("eyJ" + chance(20), "eyJ" + chance(40), chance(43))),
    "a password that is set": lambda: f'password = "{chance(24)}"',
    "a token in YAML": lambda: f"api_key: '{chance(32)}'",
    "a password in an address": lambda: f"postgresql://spillway:{chance(22)}@db.internal/spillway",
}


@pytest.mark.parametrize("kind", PLANTED)
def test_a_planted_credential_is_found_and_not_quoted(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    planted = PLANTED[kind]()
    file = tmp_path / "planted.yaml"
    file.write_text(f"a: b\n{planted}\n")

    assert credentials.main([str(file)]) == 1
    said = capsys.readouterr().out
    assert f"{file}:2: looks like a " in said
    assert not [part for part in re.findall(r"[A-Za-z0-9]{16,}", planted) if part in said]


@pytest.mark.parametrize(
    "line",
    [
        'secret_env: "SPILLWAY_SINK_DESK"',
        'password = "correct-horse-battery-staple"',
        "token: 'a-token-of-the-test-of-the-door'",
        "postgresql://spillway:password@db.example/spillway",
        "requests==2.32.0 --hash=sha256:" + "0a1b2c3d" * 8,
        "commit 3f9c0d5a71be0c2v3f9c0d5a71be0c2v3f9c0d5a",
    ],
)
def test_what_only_looks_like_one_is_left_alone(line: str) -> None:
    assert list(credentials.findings("a", line)) == []


def test_a_word_on_the_line_says_that_it_is_none() -> None:
    line = f'password = "{chance(24)}"'
    assert len(list(credentials.findings("a", line))) == 1
    assert list(credentials.findings("a", f"{line}  # {credentials.ALLOWED}")) == []


def test_no_file_of_the_repository_holds_a_credential() -> None:
    done = subprocess.run([*MAKE, "secrets"], cwd=ROOT, check=False, capture_output=True, text=True)

    assert done.returncode == 0, done.stdout + done.stderr
    assert int(done.stdout.split()[0]) > 1_000
    assert done.stdout.endswith(" files, 0 findings\n")


def said(*packages: dict[str, Any]) -> Callable[[], str]:
    return lambda: json.dumps({"dependencies": list(packages)})


GOOD: Final = {"name": "a", "version": "1", "vulns": []}
SKIPPED: Final = {"name": "b", "skip_reason": "Dependency not found on PyPI and could not be audited"}
BAD: Final = {
    "name": "c",
    "version": "2",
    "vulns": [{"id": "PYSEC-2026-1", "aliases": ["CVE-2026-1"], "fix_versions": ["2.1"], "description": "x"}],
}


def away() -> str:
    raise subprocess.TimeoutExpired("pip-audit", 1)


@pytest.mark.parametrize(
    ("ask", "words", "outside", "in_ci"),
    [
        (said(GOOD), "1 packages audited, 0 not, 0 vulnerable", 0, 0),
        (said(GOOD, BAD), "VULNERABLE c 2: PYSEC-2026-1 (fixed in 2.1)", 1, 1),
        (said(SKIPPED), "NOT AUDITED: the service does not know 1 packages: b", 3, 0),
        (said(GOOD, SKIPPED), "NOT AUDITED: the service does not know 1 packages: b", 3, 0),
        (said(SKIPPED, BAD), "VULNERABLE c 2", 1, 1),
        (said(), "NOT AUDITED", 3, 0),
        (lambda: "no JSON", "NOT AUDITED: JSONDecodeError", 3, 0),
        (away, "NOT AUDITED: TimeoutExpired", 3, 0),
    ],
)
def test_silence_of_the_advisory_service_is_not_taken_for_safety(
    ask: Callable[[], str], words: str, outside: int, in_ci: int
) -> None:
    found = audit.audit(ask, TODAY)

    assert words in "\n".join(audit.told(found))
    assert (audit.code(found, in_ci=False), audit.code(found, in_ci=True)) == (outside, in_ci)


def test_an_accepted_advisory_counts_again_on_its_day() -> None:
    accepted = {"CVE-2026-1": audit.Accepted("the function is not called", date(2026, 12, 24))}

    assert not audit.audit(said(BAD), TODAY, accepted).vulnerable
    assert audit.audit(said(BAD), date(2026, 12, 24), accepted).vulnerable
    assert all(each.until > TODAY and len(each.because) > 20 for each in audit.ACCEPTED.values())


def test_the_bill_of_parts_has_every_locked_package_with_its_hashes() -> None:
    subprocess.run([*MAKE, "sbom"], cwd=ROOT, check=True, capture_output=True)
    bill = ROOT / ".spillway" / "sbom.json"
    parts = {each["name"]: each for each in json.loads(bill.read_text())["components"]}
    locked = dict(re.findall(r"^([a-z0-9._-]+)==(\S+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE))

    assert {name: part["version"] for name, part in parts.items()} == locked
    hashed = [part for part in parts.values() if "hashes" in part or "hash" in json.dumps(part).lower()]
    assert len(hashed) == len(parts)
