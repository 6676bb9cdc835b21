"""Routes of the HTTP API, one file a noun; found by their names in `pipeline.console.app`."""
