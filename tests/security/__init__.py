"""Security: what configuration may hold cannot reach out, run on or fill the memory; bounds are shown, not believed."""
