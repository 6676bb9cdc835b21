"""Real sources: the programs that users run, sending into real Kafka, not payloads that were written down."""
