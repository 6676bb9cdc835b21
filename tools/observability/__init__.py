"""Rules, dashboards and runbooks of Spillway, made from Python: `tools.generate_observability` writes them."""
