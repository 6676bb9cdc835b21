"""The console: an HTTP API over the records store, and web pages for operators, in one process.

It reads PostgreSQL and writes commands to Kafka; it decides nothing.
"""
