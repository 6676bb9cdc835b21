"""Kafka as such: the topics as they should be, and a broker for machines that have none."""
