"""The words of the wire and of the configuration."""
