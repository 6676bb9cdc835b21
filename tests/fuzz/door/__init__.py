"""Fuzzing of the gateway's door: requests of every scheme, whole and damaged, over real sockets into a real Kafka."""
