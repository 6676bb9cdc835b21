"""Downstreams that answer anything: good answers of the vendors' servers, damaged by chance."""
