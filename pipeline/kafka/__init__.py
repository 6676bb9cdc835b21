"""Kafka as such: clients and their security, the topics as they should be, a broker for machines that have none."""
