"""Reading the records store: the board, lists, the search, an incident's page, what is like it.

Each question is a plain function of a connection, as the command line and the console put it. What people may see takes
a `Scope`: what is out of it does not exist. Lists go on by an opaque cursor that stays right while rows change.
"""

from __future__ import annotations

from pipeline.records.reading.board import BoardPage, Count, board
from pipeline.records.reading.cursor import BadCursorError
from pipeline.records.reading.episodes import Episode, episode, episodes
from pipeline.records.reading.filters import BadFilterError, Filters, parse_filters
from pipeline.records.reading.found import IncidentRow
from pipeline.records.reading.hidden import suppression
from pipeline.records.reading.listing import IncidentsPage, incidents
from pipeline.records.reading.page import incident_page
from pipeline.records.reading.problems import ProblemsPage, problem, problems
from pipeline.records.reading.scope import Scope
from pipeline.records.reading.searching import Hit, SearchPage, search
from pipeline.records.reading.services import ServiceHealth, services
from pipeline.records.reading.similar import Similar, similar
from pipeline.records.reading.timeline import Entry, TimelinePage, timeline

__all__ = [
    "BadCursorError",
    "BadFilterError",
    "BoardPage",
    "Count",
    "Entry",
    "Episode",
    "Filters",
    "Hit",
    "IncidentRow",
    "IncidentsPage",
    "ProblemsPage",
    "Scope",
    "SearchPage",
    "ServiceHealth",
    "Similar",
    "TimelinePage",
    "board",
    "episode",
    "episodes",
    "incident_page",
    "incidents",
    "parse_filters",
    "problem",
    "problems",
    "search",
    "services",
    "similar",
    "suppression",
    "timeline",
]
