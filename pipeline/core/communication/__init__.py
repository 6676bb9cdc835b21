"""Communication: what each audience is told, when, and in which words."""
