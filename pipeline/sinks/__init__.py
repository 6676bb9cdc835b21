"""Sinks: what is told outside Kafka. One file a downstream, and the sender that drives them."""
