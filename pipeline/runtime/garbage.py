"""Python's cyclic garbage collector, set for a process whose memory is mostly long-lived state.

Objects that nothing refers to any more are freed at once, by their reference count; the collector is there for
cycles alone. By default it starts at every 700 new objects and walks all that is alive ever again: with a hundred
thousand open episodes that was 15 to 25 % of all CPU time (docs/decisions/0009-garbage-collector.md).
"""

from __future__ import annotations

import gc
from typing import Final

# A batch of 2,000 records makes some tens of thousands of objects that live as long as the batch: start about once
# a batch, when most of them are gone again.
NEW_OBJECTS_MAX: Final = 50_000
YOUNG_COLLECTIONS_MAX: Final = 20
# The oldest generation is the state, which has no cycles; what does (Faust's tasks, exceptions) is little.
MIDDLE_COLLECTIONS_MAX: Final = 1_000


def spare_long_lived_objects() -> None:
    """Collect seldom, and take what is alive now (modules, configuration, restored state) out of every collection."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(NEW_OBJECTS_MAX, YOUNG_COLLECTIONS_MAX, MIDDLE_COLLECTIONS_MAX)


def release_former_objects() -> None:
    """Collect what is alive no longer, also of what was taken out of collections: indexes refer to themselves."""
    gc.unfreeze()
    spare_long_lived_objects()
