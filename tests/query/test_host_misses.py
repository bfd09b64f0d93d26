"""Where a host can use nothing: what is in the way, and what it could use instead."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from datasette_spack.serve import datasette_for
from etl.catalog.reader import open_catalog
from etl.hosts.distributions import profile_host
from etl.query.find import Scope
from etl.query.host_misses import _counted, host_misses
from etl.query.reuse import Reuse
from etl.sources.build_caches.mirror import read_build_caches
from etl.sources.selection import Selection
from etl.spack.syntax import parse_spec
from etl.writer.build import build_catalog
from etl.writer.intake import Reading
from tests.html_tree import main_of
from tests.running import Run

OLD, NEW = "develop-2025-01-05", "develop-2025-01-12"
GLIBC = {"2.28": "g" * 32, "2.36": "h" * 32}
APPS = {
    # Another tag, another stack, another build.
    (OLD, "e4s"): [("1.0", "zen3", "2.28", True)],
    (NEW, "e4s"): [("1.0", "zen4", "2.28", True), ("1.0", "zen3", "2.36", False)],
    (NEW, "hep"): [("1.0", "zen3", "2.28", True), ("2.0", "zen3", "2.28", False)],
}
HASHES = {
    ("1.0", "zen3", "2.28", True): "a" * 32,
    ("1.0", "zen4", "2.28", True): "b" * 32,
    ("1.0", "zen3", "2.36", False): "c" * 32,
    ("2.0", "zen3", "2.28", False): "d" * 32,
}


def installs(apps: list[tuple[str, str, str, bool]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for app in apps:
        version, target, libc, mpi = app
        arch = {"platform": "linux", "platform_os": "rocky8", "target": {"name": target}}
        glibc = GLIBC[libc]
        outside: dict[str, object] = {"path": "/usr", "module": None, "extra_attributes": {}}
        common: dict[str, Any] = {"arch": arch, "namespace": "builtin", "parameters": {}}
        edge = {"deptypes": ["link"], "virtuals": ["libc"]}
        nodes: list[dict[str, Any]] = [
            {
                **common, "name": "app", "version": version, "hash": HASHES[app],
                "parameters": {"mpi": mpi},
                "dependencies": [{"name": "glibc", "hash": glibc, "parameters": edge}],
            },
            {
                **common, "name": "glibc", "version": libc, "hash": glibc, "external": outside,
                "arch": {**arch, "target": {"name": "x86_64"}},
            },
        ]  # fmt: skip
        found |= {it["hash"]: {"spec": it, "in_buildcache": "external" not in it} for it in nodes}
    return found


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("host_misses")
    readings = []
    for (tag, stack), apps in APPS.items():
        index = folder / f"{tag}-{stack}.json"
        index.write_text(json.dumps({"database": {"version": "8", "installs": installs(apps)}}))
        found = read_build_caches(index, Selection(owner=f"{tag}/{stack}"))
        readings.append(Reading(f"{tag}-{stack}", found))
    assert build_catalog(readings, folder / "catalog.db").problems == ()
    return folder / "catalog.db"


@pytest.fixture(scope="module")
def pages(catalog: Path) -> Iterator[Any]:
    datasette = datasette_for(catalog)
    yield datasette
    datasette.get_database("catalog").close()


def test_other_tags_stacks_and_builds(run: Run, catalog: Path) -> None:
    options = ("--tag", NEW, "--stack", "e4s", "--host", "rocky8/zen3", "--catalog", catalog)
    done = run("find", "app@1.0 +mpi", *options, "--reusable")
    assert (done.code, done.out) == (1, "")
    assert done.err.splitlines() == [
        f"rocky8/zen3 cannot use the only match in {NEW}:",
        "  1: built for zen4, this host is zen3",
        "with zen4, the host could use it",
        "it could use:",
        "  without --stack e4s: 1 binary; available: hep (1)",
        f"  without --tag {NEW}: 1 spec; available: {OLD} (1)",
    ]
    # The same is said of what is listed with its reasons.
    listed = run("find", "app@1.0 +mpi", *options)
    assert listed.code == 0
    assert listed.err == done.err


def test_a_constraint_of_the_spec_is_in_the_way(run: Run, catalog: Path) -> None:
    options = ("--tag", OLD, "--reusable", "--catalog", catalog)
    done = run("find", "app@1.0", "--host", "centos7/zen4", *options)
    assert done.err.splitlines() == [
        f"centos7/zen4 cannot use the only match in {OLD}:",
        "  1: needs glibc 2.28, this host has 2.17",
        "with glibc 2.28 or newer, the host could use it",
    ]
    done = run("find", "app ~mpi @1.0", "--host", "rocky8/zen3", "--reusable", "--catalog", catalog)
    assert done.err.splitlines() == [
        f"rocky8/zen3 cannot use the only match in {NEW}:",
        "  1: needs glibc 2.36, this host has 2.28",
        "with glibc 2.36 or newer, the host could use it",
        "no other tag has a match that the host can use",
        "it could use:",
        "  without @1.0: 1 spec; available: 2.0 (1)",
        "  without ~mpi: 1 spec; available: +mpi (1)",
    ]


def test_facts_of_the_host_that_are_in_the_way_together(run: Run, catalog: Path) -> None:
    done = run("find", "app@2.0", "--host", "centos7/zen2", "--reusable", "--catalog", catalog)
    assert done.err.splitlines() == [
        f"centos7/zen2 cannot use the only match in {NEW}:",
        "  1: built for zen3, this host is zen2",
        "with zen3 and glibc 2.28 or newer, the host could use it",
        "no other tag has a match that the host can use",
    ]


async def test_the_newest_tag_that_has_what_can_be_used(
    run: Run, catalog: Path, pages: Any
) -> None:
    """All that is listed is of the newest tag with a match, of which nothing can be used."""
    options = ("--stack", "e4s", "--host", "rocky8/zen3", "--catalog", catalog)
    done = run("find", "app@1.0 +mpi", *options)
    assert done.err.splitlines() == [
        f"rocky8/zen3 cannot use the only match in {NEW}:",
        "  1: built for zen4, this host is zen3",
        "with zen4, the host could use it",
        f"{OLD} has matches that the host can use",
    ]
    spec = "/find?spec=app@1.0+%2Bmpi&stack=e4s&host=rocky8/zen3"
    page = main_of((await pages.client.get(spec)).text)
    message = next(it for it in page.all("div") if "cannot use the only match" in it.text)
    way = next(it for it in message.all("a") if it.text == OLD)
    there = main_of((await pages.client.get(way.attributes["href"])).text).text
    assert f"1 binary in {OLD}" in there
    assert "rocky8/zen3: ✓ can be used" in there
    page = main_of((await pages.client.get("/package/app?stacks=e4s&host=rocky8/zen3")).text)
    message = next(it for it in page.all("div") if "can use none" in it.text)
    (way,) = message.all("a")
    assert way.text == OLD
    there = main_of((await pages.client.get(way.attributes["href"])).text).text
    assert "rocky8/zen3: ✓ can be used" in there
    none = await pages.client.get("/find?spec=app@2.0&host=centos7/zen2")
    assert "No other tag has a match that the host can use." in main_of(none.text).text


def test_of_reasons_of_as_many_binaries_the_words_tell_the_order(catalog: Path) -> None:
    queries = [parse_spec("app@2.0"), parse_spec("app@1.0 target=zen4")]
    with open_catalog(catalog) as db:
        reuse = Reuse(db, profile_host("centos7", "zen3"))
        misses = host_misses(db, queries, Scope(NEW), reuse, any_tag=False)
    assert misses
    assert misses.why == (
        "1: built for zen4, this host is zen3",
        "1: needs glibc 2.28, this host has 2.17",
    )


def test_builds_of_one_dependency_are_one_reason() -> None:
    whys = ["its zlib/aaaaaaa is not in the cache", "its zlib/bbbbbbb is not in the cache"]
    one = "its gmake/ccccccc: needs glibc 2.36, this host has 2.28"
    assert _counted(Counter([*whys, one])) == {"its zlib is not in the cache": 2, one: 1}


def test_nothing_of_that_kind_is_not_blamed_on_the_host(run: Run, catalog: Path) -> None:
    done = run("find", "app@3", "--host", "rocky8/zen3", "--reusable", "--catalog", catalog)
    assert "can use none" not in done.err
    assert "no binary satisfies app@3" in done.err


async def test_pages_lead_to_what_could_be_taken(pages: Any) -> None:
    for path, spec in (("/package/app?stacks=e4s", "app"), ("/find?spec=app&stack=e4s", "app")):
        address = f"{path}&tag={NEW}&host=rocky8/zen3"
        page = main_of((await pages.client.get(address)).text)
        message = next(it for it in page.all("div") if "can use none" in it.text)
        assert f"rocky8/zen3 can use none of the 2 binaries in {NEW}" in message.text
        assert "spack install" not in page.text  # of what cannot be used
        ways = {it.text: it.attributes["href"] for it in message.all("a")}
        assert ways == {
            "without e4s": f"/find?spec={spec}&tag={NEW}&host=rocky8%2Fzen3&reusable=1",
            f"without {NEW}": f"/find?spec={spec}&tag=any&stack=e4s&host=rocky8%2Fzen3&reusable=1",
        }
        for way in ways.values():
            there = main_of((await pages.client.get(way)).text).text
            assert "Only binaries that rocky8/zen3 can use." in there
    page = main_of((await pages.client.get(f"/package/app?tag={NEW}&host=rocky8/zen3")).text)
    assert "can use none" not in page.text
    assert "spack install" in page.text
    facts = await pages.client.get(f"/find.json?spec=app&tag={NEW}&stack=e4s&host=centos7/zen4")
    assert (
        facts.json()["host_misses"][0] == f"centos7/zen4 can use none of the 2 binaries in {NEW}:"
    )


async def test_a_spec_leads_to_other_builds(pages: Any) -> None:
    page = main_of((await pages.client.get(f"/spec/{'c' * 32}?host=rocky8/zen3")).text)
    message = next(it for it in page.all("div") if "✗" in it.text)
    assert "It can use another build of app 1.0, 2 of app in all." in message.text
    ways = [it.attributes["href"] for it in message.all("a")]
    more = "&tag=any&host=rocky8%2Fzen3&reusable=1"
    assert ways == [f"/find?spec=app%40%3D1.0{more}", f"/find?spec=app{more}"]
    page = main_of((await pages.client.get(f"/spec/{'c' * 32}?host=centos7/zen3")).text)
    assert "It can use no build of app." in page.text
    page = main_of((await pages.client.get(f"/spec/{'a' * 32}?host=rocky8/zen3")).text)
    assert "It can use" not in page.text
