"""Spillway: floods of alerts in, few well-run incidents out."""
