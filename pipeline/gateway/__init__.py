"""The gateway: HTTP in, for sources that cannot produce to Kafka.

A request is answered with 202 only after the broker has acknowledged its record. The body is not read for meaning:
what it says is the adapter's business, and what cannot be read ends in the dead letter with its bytes.
"""
