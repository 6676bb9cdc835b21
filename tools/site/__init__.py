"""The documentation site: docs/ as it is on GitHub, with a navigation by audience, and nothing from elsewhere."""
