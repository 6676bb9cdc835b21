"""Imports: what other systems know of services and where they run, as Backstage descriptors.

Each source has a file: text in, `pipeline.catalog.imports.gathered.Gathered` out. Nothing is invented: what a source
does not say is left out, and what is not understood is counted and told.
"""
