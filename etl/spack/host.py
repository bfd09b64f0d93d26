"""The platform and the operating system of this machine, by the names Spack gives them.

The rules are those of ``operating_systems/`` in Spack 1.1.0: a Linux is its ``ID`` and the first
part of its ``VERSION_ID`` from ``os-release`` (``rocky9``), for Ubuntu the first two
(``ubuntu22.04``); a macOS is the name of its release.
"""

from __future__ import annotations

import platform
import re

#: Distributions that have a longer or shorter name in ``os-release`` than in Spack.
_DISTRIBUTIONS = {"ol": "oracle", "opensuse-leap": "opensuse"}

_MACOS_RELEASES = {
    "10.13": "highsierra",
    "10.14": "mojave",
    "10.15": "catalina",
    "10.16": "bigsur",
    "11": "bigsur",
    "12": "monterey",
    "13": "ventura",
    "14": "sonoma",
    "15": "sequoia",
    "26": "tahoe",
}


def host_platform() -> str:
    """The platform in Spack's words: ``linux``, ``darwin``, ``windows``, ``freebsd``."""
    return platform.system().lower()


def host_os() -> str:
    """The operating system in Spack's words, such as ``ubuntu22.04``; "unknown" if it is not."""
    system = host_platform()
    if system == "linux":
        return _linux()
    if system == "darwin":
        return _macos(platform.mac_ver()[0])
    return f"{system}{platform.release()}" if system else "unknown"


def _linux() -> str:
    try:
        release = platform.freedesktop_os_release()
    except OSError:
        return "unknown"
    name = release.get("ID", "linux").lower().replace(" ", "_")
    name = _DISTRIBUTIONS.get(name, name)
    parts = re.split(r"[^\w-]", release.get("VERSION_ID", ""))
    if "ubuntu" in name:
        version = ".".join(parts[:2])
    elif "opensuse-tumbleweed" in name:  # it has no version that stays: Spack takes its libc's
        name, version = "opensuse", "tumbleweed" + platform.libc_ver()[1]
    else:
        version = parts[0]
    return name.replace("-", "_") + version.replace("-", "_")


def _macos(version: str) -> str:
    parts = version.split(".")
    major = parts[0] if parts[0] != "10" else ".".join(parts[:2])
    return _MACOS_RELEASES.get(major, "macos")
