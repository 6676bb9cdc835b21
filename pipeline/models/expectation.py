"""What a feed is expected to do: to be heard now and then."""

from __future__ import annotations

from typing import Final

from pydantic import Field

from pipeline.models.alert import Severity
from pipeline.models.catalog import Frozen

# A feed's signs of life are kept to the minute; what is shorter than two would be noise.
EXPECT_WITHIN_SECONDS_MIN: Final = 120
# A source that may be quiet for longer says nothing by being quiet.
EXPECT_WITHIN_SECONDS_MAX: Final = 7 * 24 * 3_600


class Expectation(Frozen):
    """How long a feed may say nothing before its silence is an incident of its own.

    Attributes:
        within_seconds: it is heard at least once in so many seconds; take three times its longest usual pause.
        severity: of the alert that its silence is.
        about: what the silence is about: a reference or name of the catalogue; None: nothing that is known.
    """

    within_seconds: int = Field(ge=EXPECT_WITHIN_SECONDS_MIN, le=EXPECT_WITHIN_SECONDS_MAX)
    severity: Severity = Severity.ERROR
    about: str | None = None
