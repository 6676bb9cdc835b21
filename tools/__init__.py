"""Tools for those who work on Spillway; nothing of this is installed."""
