"""Escalation: who is called, when and why; who is on call."""
