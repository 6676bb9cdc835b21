"""Fuzzing of everything that reads what sources send: damaged samples through the real ingest stage."""
