"""Routes of the web pages, one file a page."""
