"""Outward: what leaves Kafka, for sinks and the records store."""
