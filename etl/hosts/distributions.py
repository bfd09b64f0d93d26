"""Distributions of Linux by the names that Spack gives them, and the libc that each shipped with.

The versions are those of the packages in each release: of the GNU C library as distrowatch.com and
the release notes of the distributions list them, of musl as pkgs.alpinelinux.org does.  A page of
cache.spack.io tells no libc, so that it follows from the system there.
"""

from __future__ import annotations

import re
from functools import cache

from etl.hosts.host import MACOS, Host, Libc

_GLIBC = {
    "almalinux8": "2.28",
    "almalinux9": "2.34",
    "almalinux10": "2.39",
    "amzn2": "2.26",
    "amzn2023": "2.34",
    "centos7": "2.17",
    "centos8": "2.28",
    "debian10": "2.28",
    "debian11": "2.31",
    "debian12": "2.36",
    "debian13": "2.41",
    "opensuse15": "2.31",
    "oracle8": "2.28",
    "oracle9": "2.34",
    "rhel7": "2.17",
    "rhel8": "2.28",
    "rhel9": "2.34",
    "rhel10": "2.39",
    "rocky8": "2.28",
    "rocky9": "2.34",
    "rocky10": "2.39",
    "sles12": "2.22",
    "sles15": "2.31",
    "ubuntu16.04": "2.23",
    "ubuntu18.04": "2.27",
    "ubuntu20.04": "2.31",
    "ubuntu22.04": "2.35",
    "ubuntu24.04": "2.39",
}
_SERVICE_PACKS = {
    "sles15.3": "2.31",
    "sles15.4": "2.31",
    "sles15.5": "2.31",
    "sles15.6": "2.38",
    "sles15.7": "2.38",
    "opensuse15.5": "2.31",
    "opensuse15.6": "2.38",
}
"""Releases whose number Spack leaves out of the name, though their libc is another."""

_MUSL = {
    "alpine3.18": "1.2.4",
    "alpine3.19": "1.2.4",
    "alpine3.20": "1.2.5",
    "alpine3.21": "1.2.5",
    "alpine3.22": "1.2.5",
}
_MUSL_PATH = "/"
"""Where Spack finds it: the loader of Alpine is in ``/lib``, which is no link to ``/usr/lib``."""

_ONE_LIBC = ("almalinux", "centos", "oracle", "rhel", "rocky")
"""Distributions whose minor releases (``rocky8.10``) have the libc of the major one."""


def libc_of(os: str) -> Libc | None:
    """The libc of a distribution, by Spack's name of it; None where that is not known.

    Of several service packs under one name it is the oldest: what runs with it runs with all.
    """
    version = _GLIBC.get(os)
    return Libc("glibc", version) if version else None


@cache
def distributions() -> dict[str, tuple[str, str, Libc | None]]:
    """All that a profile may be named after: platform, Spack's name of the system, and libc."""
    found: dict[str, tuple[str, str, Libc | None]] = {}
    for name, version in (_GLIBC | _SERVICE_PACKS).items():
        os = name.partition(".")[0] if name in _SERVICE_PACKS else name
        found[name] = ("linux", os, Libc("glibc", version))
    for name, version in _MUSL.items():
        found[name] = ("linux", name.partition(".")[0], Libc("musl", version, _MUSL_PATH))
    for name in MACOS:
        found[name] = ("darwin", name, None)
    return found


def named(text: str) -> str:
    """The name of a distribution in the way that it is written here: ``Rocky-8.10`` is ``rocky8``.

    What is none of them is given back as it was.
    """
    name = re.sub("[^a-z0-9.]", "", text.lower())
    if name in distributions():
        return name
    family = name.rstrip("0123456789.")
    major = name.partition(".")[0]
    return major if family in _ONE_LIBC and major in distributions() else text


def generic_target(platform: str) -> str:
    """The target of a profile that names none: what any machine of the platform is."""
    return "x86_64" if platform == "linux" else "m1"


def profile_host(distribution: str, target: str) -> Host:
    """The host of a known distribution with a CPU."""
    platform, os, libc = distributions()[distribution]
    return Host(platform, os, target, libc, f"{distribution}/{target}")
