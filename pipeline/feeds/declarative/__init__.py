"""The declarative adapter: a `pipeline.models.adapter.AdapterSpec`, written as YAML, becomes an `Adapter`.

`compile.py` puts it together and names what is wrong with it; `paths.py`, `values.py`, `times.py` and `choices.py`
read one fact each; `reader.py` reads messages. A compiled adapter is a pure function of document and headers, as
every adapter is. This package is not a source of its own, so it has no ``FEED_CLASS``.
"""
