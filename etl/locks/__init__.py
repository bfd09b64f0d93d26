"""Lock files of Spack environments, and the JSON of concrete specs, as records.

Text comes in, a :class:`etl.locks.lock.Lock` goes out.  Pure: commands and the site may call it.
"""
