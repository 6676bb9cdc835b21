"""Practice: what people and time do to an incident, from acknowledgement to closure."""
