"""The console in a real browser, over a real pipeline: Kafka, PostgreSQL, `spillway run`, `spillway console`."""
