"""What is known of a lock as JSON and as rows, for the command line and the site alike."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from shlex import quote
from typing import Any

from etl.cover.changes import Change
from etl.cover.cover import Cover, Covered, Missing
from etl.cover.differences import Shared
from etl.cover.reasons import Explained, Reasons
from etl.locks.read import LOCK_FILE, Lock
from etl.query.install import mirror_commands
from etl.records import Spec

COLUMNS = (
    "file", "status", "package", "version", "hash", "root", "tag", "stacks", "size",
    "dependents", "needed", "nearest", "why",
)  # fmt: skip
"""The columns of :func:`as_rows`."""


def as_json(cover: Cover, told: Reasons) -> dict[str, Any]:
    """All of it; the lists hold objects with ``hash``, sizes are bytes."""
    why = {it.hash: it for it in told.explained}
    missing = [_missing(it, why.get(it.spec.hash)) for it in cover.missing]
    size, sizes_known = cover.download
    return {
        "file": cover.lock.name,
        "tag": cover.tag,
        "specs": len(cover.lock.specs),
        "roots": list(cover.lock.roots),
        "external": [_spec(it) for it in cover.external],
        "available": [_available(it) for it in cover.available],
        "missing": missing,
        "missing_build_only": [it for it in missing if it["build_only"]],
        "to_build": [it.spec.hash for it in cover.to_build],
        "download": {"bytes": size, "sizes_known": sizes_known},
        "changes": [_change(it) for it in told.changes],
        "causes": [{**_shared(it), "misses": number} for it, number in told.common],
        "tags": [{"tag": name, "available": number} for name, number in cover.tags],
        "stacks": [{"stack": name, "available": number} for name, number in cover.stacks],
        "caches": [{"cache": name, "available": number} for name, number in cover.caches],
    }


def as_rows(cover: Cover, told: Reasons) -> Iterator[tuple[object, ...]]:
    """One row for each spec of the lock, by :data:`COLUMNS`."""
    why = {it.hash: it for it in told.explained}
    for spec in cover.external:
        yield _row(cover, "external", spec, ("", "", "", "", "", "", ""))
    for found in cover.available:
        verdict = found.verdict.why if found.verdict else ""
        yield _row(
            cover, "available", found.spec,
            (found.tag, found.stacks, found.size, "", "", "", verdict or ""),
        )  # fmt: skip
    for miss in cover.missing:
        reason = why.get(miss.spec.hash)
        yield _row(
            cover, "missing", miss.spec,
            (
                "", "", "", miss.dependents, int(miss.needed),
                (reason.nearest if reason else "") or "",
                "; ".join(differences_in_words(reason)) if reason else "",
            ),
        )  # fmt: skip


def refused(cover: Cover) -> tuple[tuple[str, tuple[Covered, ...]], ...]:
    """What is in the cache and the host cannot use, by the reason, that of most first."""
    found: dict[str, list[Covered]] = {}
    for it in cover.available:
        if it.verdict and not it.verdict.reusable:
            found.setdefault(it.verdict.why or "", []).append(it)
    ordered = sorted(found.items(), key=lambda it: (-len(it[1]), it[0]))
    return tuple((why, tuple(those)) for why, those in ordered)


def differences_in_words(reason: Explained) -> tuple[str, ...]:
    """What sets a missing spec apart from the nearest that the cache has."""
    gone = (reason.gone,) if reason.gone else ()
    if reason.nearest is None:
        return (*gone, f"the cache has no binary of {reason.package}")
    return (*gone, *(it.what for it in reason.differences))


def install_commands(db: sqlite3.Connection, cover: Cover) -> Iterator[str]:
    """The commands that install the environment, taking from the cache what it has.

    Mirrors and keys come first; what is missing is told as comments, since Spack compiles it.
    """
    rows = [
        {"tag": it.tag, "stacks": it.stacks, "package": it.spec.package, "hash": it.spec.hash}
        for it in cover.available
    ]
    yield from mirror_commands(db, rows)
    to_build = cover.to_build
    if to_build:
        yield f"# Spack compiles {len(to_build):,} of {len(cover.lock.specs):,} specs:"
        yield from (f"#   {title(it.spec)}" for it in to_build)
    yield _install(cover.lock)


def _install(lock: Lock) -> str:
    """The command that installs what a lock was read from: an environment, or one spec."""
    folder, _, file = lock.name.rpartition("/")
    if file.endswith(".json") and len(lock.roots) == 1:
        what = f"install --use-buildcache auto {quote(folder or '.')}/{quote(file)}"
    else:
        environment = quote(folder) if folder and file == LOCK_FILE else "."
        what = f"-e {environment} install --use-buildcache auto"
    return f"spack {what}"


def title(spec: Spec) -> str:
    """A spec in a list: ``hdf5@1.14.6/abcdefg``."""
    return f"{spec.package}@{spec.version}/{spec.hash[:7]}"


def _row(cover: Cover, status: str, spec: Spec, rest: tuple[object, ...]) -> tuple[object, ...]:
    is_root = int(spec.hash in cover.lock.roots)
    return (cover.lock.name, status, spec.package, spec.version, spec.hash, is_root, *rest)


def _spec(spec: Spec) -> dict[str, Any]:
    return {"package": spec.package, "version": spec.version, "hash": spec.hash}


def _available(it: Covered) -> dict[str, Any]:
    told = {**_spec(it.spec), "tag": it.tag, "stacks": it.stacks.split(), "size": it.size}
    if it.cache:
        told["cache"] = it.cache
    if it.verdict:
        told |= {
            "reusable": it.verdict.reusable, "reason": it.verdict.reason, "why": it.verdict.why,
        }  # fmt: skip
    return told


def _change(it: Change) -> dict[str, Any]:
    return {
        "gain": it.gain,
        "advice": list(it.advice),
        "mended": [_shared(one) for one in it.mended],
        "asked": [{"spec": one.spec, "words": list(one.words)} for one in it.asked],
    }


def _shared(it: Shared) -> dict[str, Any]:
    return {"what": it.what, "advice": it.advice}


def _missing(it: Missing, why: Explained | None) -> dict[str, Any]:
    return {
        **_spec(it.spec),
        "dependents": it.dependents,
        "build_only": it.build_only,
        "needed": it.needed,
        "nearest": why.nearest if why else None,
        "differences": list(differences_in_words(why)) if why else None,
    }
