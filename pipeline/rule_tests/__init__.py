"""Tests of correlation rules: cases in YAML, played by replay; coverage and mutation of the rules."""
