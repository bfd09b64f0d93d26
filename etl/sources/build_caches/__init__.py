"""Spack's build caches as a source: where their indexes lie, and what these say."""
