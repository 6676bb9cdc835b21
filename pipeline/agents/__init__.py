"""Agents: one file a stage.

Each says what decides for a partition (``processor``) and, for the stages that reach outside Kafka, what happens
around a commit (``hooks``).

The Faust agent that carries batches to them is the same for all stages: `pipeline.runtime.carry`.
"""
