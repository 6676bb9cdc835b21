"""Alerts: normalised, enriched, and many of one condition made few episodes."""
