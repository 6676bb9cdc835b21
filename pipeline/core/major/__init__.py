"""Major Incidents: one record over related incidents of all spaces."""
