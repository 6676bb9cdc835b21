"""Peers: the same job on other runtimes and on ours, on one broker, checked by one digest.

The job, for each alert: parse it, flatten it to 12 fields, look up its service in a table of 500, keep count of its
condition in a keyed store, send first alerts and recoveries on by domain, read them back, group them in a second
keyed store until a minute passes without any, and send each change of a group on.
"""
