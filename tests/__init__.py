"""Tests of Spillway, one folder a package."""
