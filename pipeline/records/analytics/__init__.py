"""Maturity analytics: how fast, how well kept, how quiet; each a function of a connection, a scope and a period.

``docs/analytics.md`` defines each measure; `pipeline.records.analytics.measures` has them for each incident.
"""
