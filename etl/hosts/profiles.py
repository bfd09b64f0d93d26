"""What ``--host`` may be: this machine, a named profile, or a file."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path

from etl.errors import UsageError
from etl.hosts.distributions import distributions, generic_target, named, profile_host
from etl.hosts.host import Host, read_host
from etl.spack.targets import known_targets
from etl.text import brief

THIS_MACHINE = "host"

SHOWN_PROFILES = (
    "rocky8/x86_64_v3",
    "rocky9/x86_64_v3",
    "rhel10/x86_64_v3",
    "ubuntu22.04/x86_64_v3",
    "ubuntu24.04/x86_64_v3",
    "debian12/x86_64_v3",
    "sles15.6/x86_64_v3",
    "amzn2023/neoverse_n1",
    "ubuntu24.04/neoverse_v2",
    "sequoia/m1",
)
"""Profiles that pages tell the share of: what HPC centres and laptops have."""

_LARGEST = 100_000


def find_host(text: str, *, files: bool = True) -> Host:
    """The host that a text names: ``host``, ``rocky8/zen3``, or the path of a file.

    What ``spack arch`` prints, ``linux-rocky8-zen3``, names a host too.
    ``files`` is whether it may be a path; on the site it may not.

    Raises:
        UsageError: it names none.
    """
    if text == THIS_MACHINE and files:
        from etl.hosts.machine import this_machine

        return this_machine()
    distribution, _, target = _as_profile(text).partition("/")
    distribution, target = named(distribution), target.lower()
    known = distributions()
    if distribution in known:
        target = target or generic_target(known[distribution][0])
        if target not in known_targets():
            raise UsageError(f"no target {target[:60]} that archspec knows{_near(target)}")
        return profile_host(distribution, target)
    if files and (told := _told_by(text)) is not None:
        return read_host(told, text)
    near = get_close_matches(distribution[:60], known, n=3)
    hint = f"; did you mean {' or '.join(near)}?" if near else f": one of {', '.join(known)}"
    kinds = "host (this machine), {}, or a file" if files else "{}"
    expected = kinds.format("a distribution with a CPU as in rocky8/zen3")
    raise UsageError(f"no host {text[:60].strip() or brief(text)}: expected {expected}{hint}")


def _told_by(text: str) -> str | None:
    """What the file of a host says; None if there is no such file."""
    try:
        path = Path(text)
        if not path.is_file():
            if path.suffix == ".json":
                raise UsageError(f"{text[:60]}: no such file")
            return None
        if path.stat().st_size > _LARGEST:
            raise UsageError(f"{text}: is too large to be a host")
        return path.read_text("utf-8-sig")
    except (OSError, ValueError):  # no name of a file, not to be read, or not a text
        raise UsageError(f"{text[:60]}: cannot be read as a host") from None


def _as_profile(text: str) -> str:
    """What ``spack arch`` prints as a profile; anything else as it is."""
    platform, _, rest = text.partition("-")
    os, dash, target = rest.rpartition("-")
    return f"{os}/{target}" if platform in ("linux", "darwin") and dash else text


def _near(target: str) -> str:
    near = get_close_matches(target[:60], known_targets(), n=3)
    return f"; did you mean {' or '.join(near)}?" if near else ""
