"""From what Spack's build caches publish to one SQLite file."""
