"""The machine that this runs on, found without compiling anything.

As Spack does, the version of the libc is asked of the C library itself; where Python is linked to
musl, the loader tells it.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from etl.hosts.host import LINUX, Host, Libc
from etl.spack.host import host_os, host_platform
from etl.spack.targets import host_target

_MUSL_LOADERS = "/lib", "ld-musl-*.so.1"
_SECONDS = 10


def this_machine() -> Host:
    """The platform, system, target and libc of this machine."""
    platform = host_platform()
    return Host(platform, host_os(), host_target(), _libc() if platform == LINUX else None)


def _libc() -> Libc | None:
    """The libc of this machine, as far as it can be told."""
    try:
        told = os.confstr("CS_GNU_LIBC_VERSION") or ""
    except (ValueError, OSError):
        told = ""
    name, _, version = told.partition(" ")
    if name == "glibc" and version:
        return Libc("glibc", version)
    return _musl()


def _musl() -> Libc | None:
    folder, pattern = _MUSL_LOADERS
    for loader in sorted(Path(folder).glob(pattern)):
        try:
            told = subprocess.run(  # noqa: S603 - the loader of this system
                [loader], capture_output=True, text=True, timeout=_SECONDS, check=False
            ).stderr
        except (OSError, subprocess.SubprocessError):
            continue
        version = re.search(r"^Version (\S+)$", told, re.MULTILINE)
        if version:
            # As Spack takes it: the folder above the loader's lib, where that is no link.
            return Libc("musl", version[1], str(loader.resolve().parent.parent))
    return None
