"""State records of older releases, brought to the form that this release reads.

Each stage numbers the form of its state records. The runtime writes the number beside each record in the changelog
(1 goes without saying), so records of several releases may stand side by side: each is migrated when it is read, one
step at a time, and written anew when it next changes.

To change a form: raise the stage's number in `STATE_SCHEMAS`, and add the step from the number before to `MIGRATIONS`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import orjson

from pipeline.core.step import PARTITION_KEY

FIRST_SCHEMA: Final = 1

STATE_SCHEMAS: Final[dict[str, int]] = {"dedupe": 2, "correlate": 1, "bridge": 1, "problem": 1, "deliver": 1}
"""Stage -> form of the state records that it writes."""

Migration = Callable[[str, Any], Any]
"""State key and its document of one schema -> the document of the next. Pure."""


def _conditions_that_count_what_they_hide(key: str, document: Any) -> Any:
    """Of dedupe: a condition counts what it suppresses. One that does already begins to count now."""
    if not key.startswith("c/"):
        return document
    return [3, *document[1:], None, 0, 0, ""]


MIGRATIONS: Final[dict[tuple[str, int], Migration]] = {("dedupe", 1): _conditions_that_count_what_they_hide}
"""(stage, schema) -> the step to the schema after it."""


class UnknownSchemaError(Exception):
    """A state record has a form that this release does not read; the message names both."""


def migrated(stage: str, key: bytes, value: bytes, schema: int) -> bytes:
    """A state record in the form of this release.

    Args:
        stage: the stage's word.
        key: state key.
        value: the record as it stands in the changelog, JSON.
        schema: its form.

    Raises:
        UnknownSchemaError: it is of a later release, or of one that is too old.
    """
    ours = STATE_SCHEMAS.get(stage, FIRST_SCHEMA)
    if schema == ours or key == PARTITION_KEY:  # the latter carries its own number
        return value
    document = orjson.loads(value)
    for step in range(schema, ours):
        migration = MIGRATIONS.get((stage, step))
        if migration is None:
            break
        document = migration(key.decode(), document)
    else:
        if schema < ours:
            return orjson.dumps(document)
    raise UnknownSchemaError(
        f"state record {key.decode(errors='replace')!r} of stage {stage} has schema {schema}, this release reads {ours}"
    )
