"""Personal data is taken out at the door, and nothing else is lost by it."""
