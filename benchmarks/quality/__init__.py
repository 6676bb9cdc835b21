"""How good the correlation is: every method sees the same episodes of the same worlds, and the truth is known."""
