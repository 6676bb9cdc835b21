"""Agents: what a stage does outside Kafka, one file for each stage that does.

The Faust agent that carries batches is the same for all stages (`pipeline.runtime.carry`), and what a stage decides
is in ``pipeline.core.<stage>``; so ingest, dedupe, correlate and bridge need no file here.
"""
