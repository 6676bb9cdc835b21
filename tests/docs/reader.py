"""A reader of the documentation: a directory, variables, and a real bash that finds the installed programs."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterable, Mapping
from contextlib import chdir, suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from click.testing import CliRunner

from pipeline.cli import main
from tests.docs.collected import Written, shown
from tests.real.debian import Program

SECONDS_MAX: Final = 60.0
BIN: Final = Path(sys.executable).parent
"""Where `spillway`, `python` and `faust` are."""

MAKE: Final = ("env", "-u", "MAKEFLAGS", "-u", "MAKELEVEL", "make", "--assume-old=.venv/.installed", f"BIN={BIN}")
"""`make` with what is installed already, as by hand: `make test` may be what runs this."""

_BASH: Final = ("bash", "-o", "pipefail", "-c")
_PLAIN: Final = re.compile(r"((?:[A-Z_]+=\w\S* )*)spillway ([^|;<>$\n]*)")


class Reader:
    """Attributes: place: the directory that commands run in; variables: of the environment, beside the system's."""

    def __init__(self, place: Path, variables: Mapping[str, str]) -> None:
        self.place = place
        self.variables = dict(variables)
        self._own = place / ".bin"
        self._own.mkdir(exist_ok=True)

    @property
    def environment(self) -> dict[str, str]:
        """What commands see: of ours nothing but what was given."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("SPILLWAY_")}
        path = f"{self._own}:{BIN}:{os.environ.get('PATH', os.defpath)}"
        return {**inherited, "COLUMNS": "220", **self.variables, "PATH": path}

    def has(self, name: str, program: Program) -> None:
        """Put a program on PATH, with what it needs to find its libraries."""
        needs = " ".join(f"{each}='{value}'" for each, value in program.environment.items())
        script = self._own / name
        script.write_text(f'#!/bin/sh\n{needs} exec {program.path} "$@"\n')
        script.chmod(0o755)

    def run(self, text: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Run a line, as it would be typed: a plain `spillway` in this process, all else in bash."""
        if found := _PLAIN.fullmatch(text):
            return self._run_inside(found[1], found[2], cwd or self.place)
        return subprocess.run(
            [*_BASH, text],
            cwd=cwd or self.place,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=SECONDS_MAX,
        )

    def _run_inside(self, settings: str, text: str, cwd: Path) -> subprocess.CompletedProcess[str]:
        given = dict(each.split("=", 1) for each in settings.split())
        ours = {name: None for name in os.environ if name.startswith("SPILLWAY_")}
        with chdir(cwd):
            result = CliRunner(env={**ours, **self.environment, **given}).invoke(main, shlex.split(text))
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return subprocess.CompletedProcess(text, result.exit_code, result.output)

    def start(self, text: str, name: str) -> Started:
        """Start what stays, with its words in a file."""
        log = self.place / f"{name}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [*_BASH, f"exec env {text}"],
                cwd=self.place,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        return Started(text, process, log)


class Followed:
    """The commands of one test file, and which of them were run. Attributes: all: each by its text."""

    def __init__(self, written: Iterable[Written]) -> None:
        self.all = {each.text: each for each in written}
        self._done: set[str] = set()

    def those(self, begins: str) -> list[Written]:
        """Commands that begin so; whoever asks runs them."""
        found = [written for text, written in self.all.items() if re.match(begins, text)]
        assert found, begins
        self._done.update(written.text for written in found)
        return found

    def run(
        self,
        reader: Reader,
        begins: str,
        standing_for: Mapping[str, str] = MappingProxyType({}),
        *,
        ends: int = 0,
        as_shown: bool = False,
        **more: Any,
    ) -> str:
        """Run the commands that begin so, with values in place of what stands there; what the last one said."""
        said = ""
        for written in self.those(begins):
            text = written.text
            for stands, value in standing_for.items():
                text = text.replace(stands, value)
            done = reader.run(text, **more)
            said = done.stdout
            assert done.returncode == ends, f"{written.page}: {text}: {done.returncode}: {said[-2_000:]}"
            assert "Traceback" not in said
            assert not as_shown or says(said, shown(written)), f"{written.page}: {written.text}: {said}"
        return said

    def left(self) -> set[str]:
        """What was not run."""
        return set(self.all) - self._done


class Started:
    """What stays until it is asked to stop. Attributes: text: the command."""

    def __init__(self, text: str, process: subprocess.Popen[bytes], log: Path) -> None:
        self.text = text
        self._process = process
        self._log = log

    def said(self) -> str:
        """All that it has said."""
        return self._log.read_text(errors="replace")

    def check(self) -> None:
        """Fail, with its last words, where it has ended."""
        assert self._process.poll() is None, f"{self.text}: {self._process.returncode}: {self.said()[-2_000:]}"

    def ask_to_stop(self) -> None:
        """As a supervisor does."""
        self._process.send_signal(signal.SIGTERM)

    def ended(self) -> int:
        """Its exit code, once it has ended."""
        return self._process.wait(SECONDS_MAX)

    def kill(self) -> None:
        """The end of the test, whatever it does."""
        with suppress(ProcessLookupError):
            self._process.kill()
        self._process.wait()


def says(output: str, lines: list[str]) -> bool:
    """Whether an output is what a page shows, all of it or what stands between "..." and "...", whatever the spaces."""
    said, wanted = ([" ".join(line.split()) for line in each if line.strip()] for each in (output.splitlines(), lines))
    if "..." not in wanted:
        return said == wanted
    whole = "\n".join(["", *said, ""])
    parts = "\n".join(["", *wanted, ""]).split("\n...\n")
    return all(f"\n{part.strip()}\n" in whole for part in parts if part.strip())
