"""The demo: three real-life failures through real Kafka, PostgreSQL and signed webhooks, on one machine."""
