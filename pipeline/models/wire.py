"""JSON out: every record and state value that we write goes through here."""

from __future__ import annotations

import orjson


def to_json(document: object) -> bytes:
    """JSON bytes that take no more memory than they are long.

    orjson reserves 4 KiB or more for a result and leaves it at that size. A copy has its own size, and the next call
    gets the reserved room back while it is warm: several times as fast wherever results are kept, as in a batch.

    Raises:
        TypeError: the document holds something that JSON cannot say.
    """
    return b"%b" % orjson.dumps(document)
