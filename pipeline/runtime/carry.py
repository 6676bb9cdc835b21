"""The loop that every stage's agent runs: batches from Faust's stream to the host, in order."""

from __future__ import annotations

from typing import Any, cast

import faust

from pipeline.runtime.guard import guarded
from pipeline.runtime.host import StageHost
from pipeline.runtime.transport import BatchSchema, Consumer


def carry(app: faust.App, host: StageHost) -> None:
    """Attach the stage's agent to its Faust app.

    The stream is never acknowledged: each batch's offset is committed in the transaction that handles it.
    """
    schema = BatchSchema(key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw")
    topic = app.topic(*host.context.wire_inputs, schema=schema)

    async def agent(stream: Any) -> None:
        async with guarded("carry batches", stage=host.stage):
            async for event in stream.noack().events():
                message = event.message
                # Faust may finish a hand-over that a rebalance interrupted, after reading was set back.
                if message.generation_id != app.consumer_generation_id:
                    continue
                if not await host.accept(message.topic, message.partition, event.value):
                    cast(Consumer, app.consumer).seek_again()

    app.agent(topic, name=host.stage)(agent)
