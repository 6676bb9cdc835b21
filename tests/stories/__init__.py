"""The three stories."""
