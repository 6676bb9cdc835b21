"""Benchmarks: ratios from one run on one machine; see README.md for the questions and how they are measured."""
