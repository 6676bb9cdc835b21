"""Clocks: service level targets, counted on calendars."""
