"""Redaction: a recording without people and secrets that is still decided as the original was.

Every value that must not leave is replaced by a pseudonym made with a key: equal values stay equal, so grouping
stays what it was, and nobody without the key can find the original by trying.
"""
