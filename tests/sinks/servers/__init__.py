"""Downstreams on this machine: real HTTP servers that keep records and behave, and misbehave, as documented."""
