"""What sources share whose payload is a template: variables that the source has left in place are no values.

A misspelled variable, or one that an event does not have, arrives as it stands in the template: ``$ALERT_ID``.
Taken for a value it would make one condition of all alerts.
"""

from __future__ import annotations

import re
from typing import Final

from pipeline.feeds.fields import Fields
from pipeline.models.decision import BadRecord, Reason

# Longer texts are no variable; the limit keeps the patterns from reading a whole log.
_VARIABLE_CHARS_MAX: Final = 256


def filled(fields: Fields, variable: re.Pattern[str], required: tuple[str, ...] = ()) -> Fields:
    """An object without the fields that hold nothing but a variable.

    Args:
        fields: the object; objects in it are not looked into.
        variable: how the source writes a variable.
        required: what makes no sense without a value.

    Raises:
        BadRecord: a required field holds a variable.
    """
    left = {
        name
        for name, value in fields.values.items()
        if isinstance(value, str) and len(value) <= _VARIABLE_CHARS_MAX and variable.fullmatch(value.strip())
    }
    for name in required:
        if name in left:
            raise BadRecord(Reason.MISSING_FIELD, f"{fields.at(name)}: the template's variable was not replaced")
    if not left:
        return fields
    return Fields({name: value for name, value in fields.values.items() if name not in left}, fields.path)
