"""A progress bar for work that takes a while: on the terminal alone, never in what a script reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

# What is done before anybody would look at a bar.
STEPS_MIN: Final = 2_000


@contextmanager
def progress(
    what: str, steps: int, console: Console | None = None, *, sizes: bool = False, least: int = STEPS_MIN
) -> Iterator[Callable[[int], None]]:
    """Show how far work has come; gives what is to be told the steps done so far.

    Args:
        what: what is done, in a word or two.
        steps: how many there are at most; a few are not worth a bar.
        sizes: the steps are bytes.
        least: steps from which a bar is shown.
        console: where to; standard error unless given. Nothing is shown where that is no terminal.
    """
    terminal = console or Console(stderr=True)
    if steps < least or not terminal.is_terminal:
        yield lambda done: None
        return
    counted = DownloadColumn() if sizes else MofNCompleteColumn()
    columns = (TextColumn("{task.description}"), BarColumn(), counted, TimeRemainingColumn())
    with Progress(*columns, console=terminal, transient=True) as bar:
        task = bar.add_task(what, total=steps)
        yield lambda done: bar.update(task, completed=done)
        bar.update(task, completed=steps)
