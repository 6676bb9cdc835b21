"""Pictures as SVG, drawn on the server: plots, the dependency graph."""
