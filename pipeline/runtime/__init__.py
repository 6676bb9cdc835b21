"""Runtime: Faust on batches, one Kafka transaction for each.

From the outside in: `process` hosts stages, each a Faust app on `transport`, whose agent (`carry`) hands batches to
the stage's `host`; that has a `partition` for each number this process owns, with the processor, its `restore` and
its `transaction`. `guard` ends the process where nothing may be assumed any more.
"""
