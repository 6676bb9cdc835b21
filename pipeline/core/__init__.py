"""The pure core: every decision, as synchronous functions of state, record and stream time."""
