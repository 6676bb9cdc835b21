"""The records store: every incident and what happened to it, in PostgreSQL, for search and audit."""
