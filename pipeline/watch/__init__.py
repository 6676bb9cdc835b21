"""The watch: a probe through the whole pipeline, and a sign of life to somewhere else while it gets through."""
