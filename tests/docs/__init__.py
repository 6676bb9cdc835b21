"""The documentation as readers use it: a site that is whole, and commands that work."""
