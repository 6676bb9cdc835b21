"""Privacy at the door: personal data goes out of a message before anything is derived from it."""
