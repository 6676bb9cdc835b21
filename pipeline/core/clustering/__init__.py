"""Clustering: episodes become incidents, and what is known of each is kept true."""
