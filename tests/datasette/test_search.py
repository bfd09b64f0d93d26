"""The box of every page: where a text in it leads, and what is suggested."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from datasette.app import Datasette

from datasette_spack.serve import datasette_for

MPI = "ta6pedvdixmtsxl6zzxbsro4hfbn3wej"
HOSTILE = "//evil.example/<b>\"'\u0001é?#%2F\r\nX: y"


@pytest.fixture(scope="module")
def changed(sample_catalog: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Datasette with the sample, some of whose names are others."""
    catalog = tmp_path_factory.mktemp("changed") / "catalog.db"
    catalog.write_bytes(sample_catalog.read_bytes())
    with closing(sqlite3.connect(catalog)) as db:
        for table, old, new in (
            ("packages", "gmake", HOSTILE),
            ("packages", "adiak", "both"),
            ("packages", "zlib-ng", "a_b%c*d"),
            ("stacks", "e4s", "both"),
            ("tags", "v0.20.1", "both"),
            ("tags", "develop-2024-11-17", "releases/v0.20"),
        ):
            done = db.execute(f"UPDATE {table} SET name = ? WHERE name = ?", (new, old))
            assert done.rowcount == 1
        db.commit()
    datasette = datasette_for(catalog)
    yield datasette
    datasette.get_database("catalog").close()


async def led_to(site: Any, text: str) -> str:
    answer = await site.client.get(f"/search?q={quote(text, safe='')}")
    assert answer.status_code == 302
    location: str = answer.headers["location"]
    assert location.isascii()
    assert location.startswith("/")
    assert not location.startswith("//")
    return location


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("hdf5", "/package/hdf5"),
        ("  HDF5 \t", "/package/hdf5"),
        ("zlib_ng", "/package/zlib-ng"),
        ("develop-2025-07-20", "/tag/develop-2025-07-20"),
        ("develop", "/tag/develop"),
        ("E4S", "/stack/e4s"),
        ("build_systems", "/stack/build_systems"),
        (MPI, f"/spec/{MPI}"),
        (MPI.upper(), f"/spec/{MPI}"),
        (f"/{MPI}", f"/spec/{MPI}"),
        ("/TA6P", "/spec/ta6p"),
        ("/zzzz", "/spec/zzzz"),
        ("a" * 32, f"/find?spec={'a' * 32}"),
        (MPI[:12], f"/find?spec={MPI[:12]}"),
        (f"/{'a' * 33}", f"/find?spec=%2F{'a' * 33}"),
        ("/ta6p +mpi", "/find?spec=%2Fta6p+%2Bmpi"),
        ("//evil.example", "/find?spec=%2F%2Fevil.example"),
        ("https://evil.example/", "/find?spec=https%3A%2F%2Fevil.example%2F"),
        ("hdf5@1.14: +mpi ^mpich", "/find?spec=hdf5%401.14%3A+%2Bmpi+%5Empich"),
        ("hdf6", "/find?spec=hdf6"),
        ("é\r\nSet-Cookie: a=b", "/find?spec=%C3%A9%0D%0ASet-Cookie%3A+a%3Db"),
        ("", "/packages"),
        (" \t ", "/packages"),
    ],
)
async def test_where_a_text_leads(site: Any, text: str, path: str) -> None:
    assert await led_to(site, text) == path


async def test_no_text_at_all(site: Any) -> None:
    answer = await site.client.get("/search")
    assert (answer.status_code, answer.headers["location"]) == (302, "/packages")


async def test_bytes_that_are_no_text(site: Any) -> None:
    answer = await site.client.get("/search?q=%ff%00")
    assert (answer.status_code, answer.headers["location"]) == (302, "/find?spec=%EF%BF%BD%00")


async def test_a_package_without_binaries_is_not_gone_to(site: Any, sample_catalog: Path) -> None:
    with closing(sqlite3.connect(sample_catalog)) as db:
        names = db.execute("SELECT name FROM packages WHERE binaries = 0").fetchall()
    assert names
    for (name,) in names:
        assert await led_to(site, name) == f"/find?spec={name}"


async def test_a_package_comes_before_a_tag_and_a_stack(changed: Any) -> None:
    assert await led_to(changed, "both") == "/package/both"


async def test_hostile_names_are_no_way_out(changed: Any) -> None:
    assert await led_to(changed, HOSTILE) == f"/find?spec={quote(HOSTILE, safe='')}".replace(
        "%20", "+"
    )
    assert await led_to(changed, "a_b%c*d") == "/package/a_b%25c%2Ad"
    assert await led_to(changed, "releases/v0.20") == "/tag/releases%2Fv0.20"


async def test_below_another_path(sample_catalog: Path) -> None:
    site = datasette_for(sample_catalog)
    site._settings["base_url"] = "/spack/"
    assert await led_to(site, "hdf5") == "/spack/package/hdf5"
    assert await led_to(site, "hdf5 +mpi") == "/spack/find?spec=hdf5+%2Bmpi"
    assert await led_to(site, "") == "/spack/packages"
    site.get_database("catalog").close()


async def suggested(site: Any, text: str) -> list[dict[str, str]]:
    answer = await site.client.get(f"/suggest.json?q={quote(text, safe='')}")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    content = answer.json()
    assert content.keys() == {"ok", "suggestions"}
    found: list[dict[str, str]] = content["suggestions"]
    return found


async def test_suggestions(site: Any) -> None:
    assert await suggested(site, "hdf") == [{"value": "hdf5", "label": "1.14.6, 20 binaries"}]
    assert [it["value"] for it in await suggested(site, "la")] == [
        "openblas",
        "ca-certificates-mozilla",
        "netlib-scalapack",
        "rocblas",
    ]


async def test_names_that_begin_with_it_come_first(site: Any) -> None:
    assert [it["value"] for it in await suggested(site, "me")] == [
        "metis",
        "py-pyproject-metadata",
        "gcc-runtime",
        "parmetis",
    ]


async def test_one_binary(site: Any) -> None:
    assert await suggested(site, "compiler-w") == [
        {"value": "compiler-wrapper", "label": "1.0, 1 binary"}
    ]


async def test_at_most_ten_and_those_with_most_binaries(site: Any, sample_catalog: Path) -> None:
    with closing(sqlite3.connect(sample_catalog)) as db:
        names = db.execute(
            "SELECT name FROM packages WHERE name LIKE 'p%' AND binaries > 0"
            " ORDER BY binaries DESC, name"
        ).fetchall()
    assert len(names) > 10
    assert [it["value"] for it in await suggested(site, "p")] == [name for (name,) in names[:10]]


@pytest.mark.parametrize(
    "text",
    ["", " ", "hdf5 ", "hdf5 +mpi", "hdf5@", "hdf5@1.14", "hdf5+mpi", "hdf5~mpi", "hdf5%gcc",
     "^hdf5", "/ta6p", "hdf5/ta6p", "os=x", "-hdf5", "h%", "h*", "h?", "h[a-z]", "hdf5'", 'hdf5"',
     "é", "hdf6", "h" * 101, "\x00", "%", "_%"],
)  # fmt: skip
async def test_nothing_to_suggest(site: Any, text: str) -> None:
    assert await suggested(site, text) == []


@pytest.mark.parametrize("text", ["HDF", "  hdf"])
async def test_suggestions_however_it_is_written(site: Any, text: str) -> None:
    assert [it["value"] for it in await suggested(site, text)] == ["hdf5"]


async def test_underscores(site: Any, changed: Any) -> None:
    assert [it["value"] for it in await suggested(site, "zlib_")] == ["zlib-ng"]
    assert [it["value"] for it in await suggested(changed, "a_")] == ["a_b%c*d"]
    assert [it["value"] for it in await suggested(changed, "_b")] == ["a_b%c*d"]


async def test_others_may_ask(site: Any) -> None:
    answer = await site.client.get("/suggest.json?q=hdf")
    assert answer.headers["access-control-allow-origin"] == "*"


async def test_no_catalog() -> None:
    site = Datasette([], memory=True)
    page = await site.client.get("/search?q=hdf5")
    assert page.status_code == 503
    assert "No catalog yet" in page.text
    answer = await site.client.get("/suggest.json?q=hdf5")
    assert answer.status_code == 503
    assert answer.json() == {"ok": False, "error": "no catalog is served"}
