"""Small graphs of every kind, held against the rules of Spack told once more, plainly.

``reason_of`` asks one spec after the other over the whole index, as ``solver/reuse.py`` and
``solver/asp.py`` of Spack 1.1.0 do; the catalog has to come to the same from its summaries.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from etl.catalog.reader import open_catalog
from etl.hosts.host import Host, Libc
from etl.query.reuse import Reuse
from etl.sources.build_caches.mirror import read_build_caches
from etl.sources.selection import Selection
from etl.spack.targets import ancestors
from etl.spack.versions import sort_key
from etl.writer.build import build_catalog
from etl.writer.intake import Reading

HOSTS = (
    Host("linux", "rocky8", "zen3", Libc("glibc", "2.28")),
    Host("linux", "ubuntu24.04", "neoverse_v2", Libc("glibc", "2.39")),
    Host("linux", "alpine3", "x86_64_v3", Libc("musl", "1.2.5", "/")),
    Host("linux", "unknown", "zen4"),
    Host("darwin", "sonoma", "m2"),
)
MACOS = ("catalina", "bigsur", "monterey", "ventura", "sonoma", "sequoia", "tahoe")
NAMES = (
    *("zlib", "hdf5", "openmpi", "gcc", "gcc-runtime", "compiler-wrapper"),
    *("intel-oneapi-compilers", "intel-oneapi-runtime", "glibc", "musl"),
)
ARCHES = (
    *(("linux", os, target) for os in ("rocky8", "rocky9") for target in ("x86_64_v3", "zen4")),
    ("linux", "ubuntu24.04", "neoverse_v2"),
    ("darwin", "ventura", "m1"),
    ("darwin", "tahoe", "m1"),
)
EXTERNAL: dict[str, object] = {"path": "/usr", "module": None, "extra_attributes": {}}
EDGES = (
    *((("link",), ()), (("run",), ()), (("build",), ()), (("test",), ()), (("build", "link"), ())),
    *((("link",), ("libc",)), (("build",), ("libc",)), (("build",), ("c", "cxx"))),
)

Node = dict[str, Any]


def reason_of(installs: dict[str, Node], host: Host, hash_: str) -> str | None:
    """The first reason why the host cannot take the binary of a spec, by the rules alone."""

    def edges_of(hash_: str) -> list[tuple[str, set[str], set[str]]]:
        return [
            (it["hash"], set(it["parameters"]["deptypes"]), set(it["parameters"]["virtuals"]))
            for it in installs[hash_]["spec"]["dependencies"]
        ]

    def below(hash_: str) -> Iterator[str]:
        yield hash_
        for child, deptypes, _ in edges_of(hash_):
            if deptypes & {"link", "run"}:
                yield from below(child)

    def names_in(hash_: str) -> set[str]:
        built_with = [
            child for child, deptypes, _ in edges_of(hash_) if deptypes & {"build", "test"}
        ]
        return {installs[it]["spec"]["name"] for it in (*below(hash_), *built_with)}

    def fits(libc: Node) -> bool:
        return (
            host.libc is not None
            and (libc["name"], (libc.get("external") or {}).get("path"))
            == (host.libc.name, host.libc.path)
            and sort_key(host.libc.version) >= sort_key(libc["version"])
        )

    @cache
    def asked(hash_: str) -> str | None:
        record = installs[hash_]
        node = record["spec"]
        arch, edges, names = node["arch"], edges_of(hash_), names_in(hash_)
        if "dev_path" in node["parameters"]:
            return "dev_path"
        if node["name"] == "compiler-wrapper":
            return "compiler-wrapper"
        if node.get("external"):
            return "external"
        for compiler in ("gcc", "intel-oneapi"):
            name = compiler if compiler == "gcc" else f"{compiler}-compilers"
            if name in names and f"{compiler}-runtime" not in names:
                return "runtime"
        if arch["platform"] != host.platform:
            return "platform"
        if arch["target"]["name"] not in {host.target, *ancestors(host.target)}:
            return "target"
        if host.platform == "linux":
            libcs = [installs[child]["spec"] for child, _, virtuals in edges if "libc" in virtuals]
            if not all(map(fits, libcs)):
                return "libc"
        elif arch["platform_os"] not in MACOS[: MACOS.index(host.os) + 1]:
            return "os"
        if not record["in_buildcache"]:
            return "not-in-cache"
        for child, deptypes, virtuals in edges:
            if deptypes & {"link", "run"} and "libc" not in virtuals and asked(child):
                return "closure"
        return None

    return asked(hash_)


def is_complete(installs: dict[str, Node], hash_: str) -> bool:
    """Whether the index has the binaries of all that a spec links to and runs with."""
    return all(
        installs[it["hash"]]["spec"].get("external")
        or (installs[it["hash"]]["in_buildcache"] and is_complete(installs, it["hash"]))
        for it in installs[hash_]["spec"]["dependencies"]
        if {"link", "run"} & set(it["parameters"]["deptypes"])
        and "libc" not in it["parameters"]["virtuals"]
    )


@st.composite
def indexes(draw: st.DrawFn) -> dict[str, Node]:
    """The records of an index whose specs depend on some of those before them."""
    installs: dict[str, Node] = {}
    arches = draw(st.sampled_from((ARCHES[:1], ARCHES[:4], ARCHES)))
    for number in range(draw(st.integers(3, 14))):
        name = draw(st.sampled_from(NAMES))
        platform, os, target = draw(st.sampled_from(arches))
        dependencies = []
        before = sorted(installs)
        for child in sorted(draw(st.sets(st.sampled_from(before), max_size=4))) if before else ():
            deptypes, virtuals = draw(st.sampled_from(EDGES))
            child_name = installs[child]["spec"]["name"]
            if child_name in ("glibc", "musl") and draw(st.integers(0, 3)):
                deptypes, virtuals = ("link",), ("libc",)
            parameters = {"deptypes": list(deptypes), "virtuals": list(virtuals)}
            dependencies.append({"name": child_name, "hash": child, "parameters": parameters})
        node: Node = {
            "name": name,
            "version": draw(st.sampled_from(("2.17", "2.28", "2.34", "1.2.5"))),
            "arch": {"platform": platform, "platform_os": os, "target": {"name": target}},
            "namespace": "builtin",
            "parameters": {},
            "dependencies": dependencies,
            "hash": f"{'abcdefghijklmnop'[number]}" * 32,
        }
        if name in ("glibc", "musl") or not draw(st.integers(0, 9)):
            path = draw(st.sampled_from(("/usr", "/usr", "/", "/opt/libc", None)))
            if path:
                node["external"] = EXTERNAL | {"path": path}
        if not draw(st.integers(0, 11)):
            node["parameters"]["dev_path"] = "/home/me/src"
        record = {"spec": node, "in_buildcache": draw(st.integers(0, 7)) > 0}
        installs[node["hash"]] = record
    return installs


@settings(max_examples=150, deadline=None)
@given(installs=indexes())
def test_summaries_say_what_the_rules_say(installs: dict[str, Node]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        index, target = Path(folder) / "index.json", Path(folder) / "catalog.db"
        database = {"version": "8", "installs": installs}
        index.write_text(json.dumps({"database": database}))
        records = read_build_caches(index, Selection(owner="v1"))
        build_catalog([Reading("index", records)], target)
        cached = {it for it, record in installs.items() if record["in_buildcache"]}
        with open_catalog(target) as db:
            known = {hash_ for (hash_,) in db.execute("SELECT hash FROM specs")}
            said = dict(db.execute("SELECT hash, complete FROM binary_needs").fetchall())
            assert said == {it: is_complete(installs, it) for it in cached}
            for host in HOSTS:
                reuse = Reuse(db, host)
                found, expected = {}, {}
                for hash_ in sorted(known):
                    verdict = reuse.verdict(hash_, "v1")
                    assert verdict is not None
                    assert verdict.reason is None or verdict.why
                    found[hash_] = verdict.reason
                    expected[hash_] = reason_of(installs, host, hash_)
                assert found == expected, host
                rows = db.execute(
                    "SELECT specs.hash FROM binaries JOIN specs ON specs.id = binaries.spec_id"
                    f" WHERE {reuse.taken.sql}"
                ).fetchall()
                taken = {it for it, reason in expected.items() if reason is None}
                assert {it for (it,) in rows} == taken & cached
