"""Shadow: another configuration decides the live stream beside the active one, and only the difference comes out.

It writes to two topics of its own and to nothing else, so no sink, page or ticket can come of it.
"""
