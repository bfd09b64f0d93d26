"""What a machine is to a binary: its platform, target, and libc or operating system.

In comes a name (``rocky8/zen3``), a file, or this machine; out comes a ``Host``, and why it cannot
take what was built for another.  Everybody above may call it; it knows no tables.
"""
