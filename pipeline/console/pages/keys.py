"""The keys of the console: the table that its help, its script and its documentation are made of."""

from __future__ import annotations

from typing import Final, NamedTuple


class Key(NamedTuple):
    """What a key does.

    Attributes:
        keys: pressed one after another.
        does: the same in the script: ``go:/path``, or the name of what it does.
        words: for people.
        where: on which page.
    """

    keys: str
    does: str
    words: str
    where: str = "everywhere"


KEYS: Final = (
    Key("?", "help", "this help"),
    Key("/", "search", "search"),
    Key("g b", "go:/", "go to the board"),
    Key("g m", "go:/majors", "go to Major Incidents"),
    Key("g s", "go:/services", "go to services"),
    Key("g o", "go:/oncall", "go to on call"),
    Key("g n", "go:/suppression", "go to noise"),
    Key("g p", "go:/problems", "go to problems"),
    Key("g a", "go:/analytics", "go to analytics"),
    Key("j", "next", "next row", "lists"),
    Key("k", "previous", "row before", "lists"),
    Key("Enter", "open", "open the row", "lists"),
    Key("x", "select", "select the row", "board"),
    Key("a", "do:acknowledge", "acknowledge", "board, incident"),
    Key("s", "do:assign-me", "assign to me", "board, incident"),
    Key("m", "do:merge", "merge", "board, incident"),
    Key("n", "do:note", "write a note", "incident"),
    Key("r", "do:resolve", "resolve", "incident"),
    Key("Escape", "leave", "close a dialog, leave a field"),
)
