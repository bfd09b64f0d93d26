"""What answers say of themselves: how long to keep them, and how a browser must treat them."""

from __future__ import annotations

import re
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from datasette.app import Datasette

import datasette_spack
from datasette_spack.http_headers import DATASETTE_POLICY, OUR_POLICY, is_our_page
from datasette_spack.program import static_hashes
from datasette_spack.serve import datasette_for
from tests.running import digest_of

KEPT = "public, max-age=300, stale-while-revalidate=600, stale-if-error=86400"
OURS = ["/", "/.json", "/find", "/find?spec=zlib-ng", "/find.json?spec=zlib-ng"]
DATASETTES = [
    "/catalog",
    "/catalog.json?sql=select+1",
    "/catalog/binaries?_package=hdf5",
    "/catalog/tags.csv",
    "/catalog/find_binaries.json",
]


async def tag_of(site: Any, path: str, **headers: str) -> str:
    response = await site.client.get(path, headers=headers)
    assert response.status_code == 200, response.text
    return str(response.headers["etag"])


@pytest.mark.parametrize("path", OURS + DATASETTES)
async def test_a_page_may_be_kept(site: Any, path: str) -> None:
    first = await site.client.get(path)
    assert first.status_code == 200
    assert first.headers["cache-control"] == KEPT
    assert first.headers["vary"] == "Cookie, Authorization"
    assert re.fullmatch(r'W/"[0-9a-f]{32}"', first.headers["etag"])
    again = await site.client.get(path, headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    for name in ("etag", "cache-control", "vary", "content-security-policy"):
        assert again.headers.get_list(name) == first.headers.get_list(name)
    head = await site.client.head(path)
    assert head.headers["etag"] == first.headers["etag"]


async def test_no_work_is_done_for_what_is_not_modified(
    site: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    tag = await tag_of(site, "/catalog/tags.json")

    async def never(*_: object, **__: object) -> None:
        raise AssertionError("asked")

    monkeypatch.setattr(site.get_database("catalog"), "execute_fn", never)
    again = await site.client.get("/catalog/tags.json", headers={"If-None-Match": tag})
    assert again.status_code == 304


@pytest.mark.parametrize(
    ("given", "status"),
    [
        ("{tag}", 304),
        ("{strong}", 304),
        ('"x", W/"y,z" , {tag}', 304),
        ("*", 304),
        ("{bare}", 200),
        ('W/"x"', 200),
        ("", 200),
        ("**", 200),
    ],
)
async def test_if_none_match(site: Any, given: str, status: int) -> None:
    tag = await tag_of(site, "/catalog/tags.json")
    strong = tag.removeprefix("W/")
    text = given.format(tag=tag, strong=strong, bare=strong.strip('"'))
    response = await site.client.get("/catalog/tags.json", headers={"If-None-Match": text})
    assert response.status_code == status
    assert response.headers["etag"] == tag


async def test_the_tag_is_that_of_one_address(site: Any) -> None:
    addresses = ["/", "/find", "/find?spec=hdf5", "/find.json?spec=hdf5", "/catalog"]
    tags = [await tag_of(site, path) for path in addresses]
    tags.append(await tag_of(site, "/", Host="elsewhere.example"))
    assert len(set(tags)) == len(tags)
    other = await site.client.get("/catalog/nothing", headers={"If-None-Match": tags[0]})
    assert other.status_code == 404


async def test_the_tag_is_that_of_the_content(
    site: Any, sample_catalog: Path, tmp_path: Path
) -> None:
    for change, same in (("SELECT 1", True), ("PRAGMA user_version = 7", False)):
        catalog = tmp_path / "catalog.db"
        shutil.copy(sample_catalog, catalog)
        with closing(sqlite3.connect(catalog)) as db, db:
            db.execute(change)
        other = datasette_for(catalog)
        assert (await tag_of(other, "/find") == await tag_of(site, "/find")) == same
        other.get_database("catalog").close()


async def test_the_tag_is_that_of_the_program(
    site: Any, sample_catalog: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = await tag_of(site, "/find")
    monkeypatch.setattr("datasette_spack.caching.program_digest", lambda: "another")
    other = datasette_for(sample_catalog)
    assert await tag_of(other, "/find") != before
    other.get_database("catalog").close()


@pytest.mark.parametrize(
    "path",
    [
        "/nothing",
        "/catalog/nothing",
        "/catalog.json?sql=select+nothing",
        "/find?spec=@@",
        "/catalog/tags.json?_ttl=7",
        "/catalog/binaries.csv?_stream=on",
        "/catalog.json?sql=select+random()",
        "/catalog.json?sql=select+datetime('%6eow')",
        "/-/versions.json",
        "/-/static/app.css",
        "/-/static-plugins/spack-catalog/nothing.css",
        "/favicon.ico",
    ],
)
async def test_what_has_no_tag(site: Any, path: str) -> None:
    response = await site.client.get(path, headers={"If-None-Match": "*"})
    assert "etag" not in response.headers
    assert response.status_code != 304
    assert "stale" not in response.headers.get("cache-control", "")


@pytest.mark.parametrize("headers", [{"Cookie": "ds_actor=x"}, {"Authorization": "Bearer x"}])
async def test_an_answer_to_somebody_is_for_nobody_else(site: Any, headers: dict[str, str]) -> None:
    tag = await tag_of(site, "/catalog/tags.json")
    response = await site.client.get(
        "/catalog/tags.json", headers={**headers, "If-None-Match": tag}
    )
    assert response.status_code == 200
    assert response.headers["cache-control"] == "private, no-store"
    assert "etag" not in response.headers


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_pages_can_only_be_read(site: Any, method: str) -> None:
    for path in ("/find", "/", "/feed.atom", "/robots.txt", "/search?q=hdf5", "/tag/nope"):
        tags = {"If-None-Match": "*"}
        response = await site.client.request(method, path, headers=tags)
        assert (response.status_code, response.headers["allow"]) == (405, "GET, HEAD"), path
        assert "Only GET and HEAD are allowed at this address." in response.text
        assert "etag" not in response.headers
    response = await site.client.request(method, "/tags.json")
    assert response.status_code == 405
    assert response.json() == {
        "ok": False,
        "error": "Only GET and HEAD are allowed at this address.",
    }


async def test_an_answer_that_was_cut_short_is_not_kept_for_long(
    site: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = "/catalog/binaries.json?_stack=e4s"
    assert (await site.client.get(path)).headers["cache-control"] == KEPT
    monkeypatch.setattr("datasette_spack.database.COUNT_LIMIT_MS", 1e-9)
    response = await site.client.get(path)
    assert response.json()["filtered_table_rows_count"] is None
    assert response.headers["cache-control"] == "public, max-age=30"
    assert "etag" not in response.headers


async def test_static_files_are_kept_for_ever_under_the_address_of_their_content(
    site: Any,
) -> None:
    assert static_hashes()
    page = (await site.client.get("/")).text
    for name, known in static_hashes().items():
        path = f"/-/static-plugins/spack-catalog/{name}"
        for query, kept in (
            (f"?{known}", "public, max-age=31536000, immutable"),
            ("?000000000000", "public, max-age=300"),
            ("", "public, max-age=300"),
        ):
            response = await site.client.get(path + query)
            assert response.status_code == 200
            assert response.headers["cache-control"] == kept
    linked = re.findall(r"/-/static-plugins/spack-catalog/([\w.]+)\?(\w+)", page)
    assert linked
    assert [static_hashes()[name] for name, _ in linked] == [known for _, known in linked]


@pytest.mark.parametrize(
    "path", [*OURS, "/find?spec=@@", "/package/no~2Fsuch", "/tag/x", "/spec/x", "/nothing"]
)
async def test_our_pages_allow_nothing_inline(site: Any, path: str) -> None:
    response = await site.client.get(path)
    assert response.headers["content-security-policy"] == OUR_POLICY.decode()
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["referrer-policy"] == "strict-origin-when-cross-origin"
    assert "unsafe" not in OUR_POLICY.decode()


@pytest.mark.parametrize(
    "path", [*DATASETTES, "/catalog/nothing", "/-/nothing", "/-/static/app.css", "/catalog.db"]
)
async def test_datasettes_pages_allow_what_they_need(site: Any, path: str) -> None:
    response = await site.client.get(path)
    assert response.headers["content-security-policy"] == DATASETTE_POLICY.decode()
    assert response.headers["x-content-type-options"] == "nosniff"
    assert "referrer-policy" in response.headers


def test_every_page_of_the_plugin_is_known_to_be_ours() -> None:
    for pattern, _ in datasette_spack.register_routes():
        fixed = re.split(r"\(|\\|\$|\[", pattern.lstrip("^"))[0]
        if fixed != "/":
            assert is_our_page(fixed), pattern


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/home.json",
        "/compare/a/b.json",
        "/feed.atom",
        "/package/a~2Fb/feed.atom",
        "/robots.txt",
        "/sitemap-2.xml",
        "/suggest.json",
        "/tag/releases%2Fv0.18",
    ],
)
def test_what_is_ours(path: str) -> None:
    assert is_our_page(path)


@pytest.mark.parametrize("path", ["/finder", "/catalog", "/-/find", "/find~", "/x/find", ""])
def test_what_is_not_ours(path: str) -> None:
    assert not is_our_page(path)


# Somebody's own Datasette.


async def test_a_catalog_that_may_change_has_no_tags(sample_catalog: Path) -> None:
    site = Datasette([str(sample_catalog)])
    response = await site.client.get("/find?spec=zlib-ng", headers={"If-None-Match": "*"})
    assert response.status_code == 200
    assert "etag" not in response.headers
    assert response.headers["content-security-policy"] == OUR_POLICY.decode()


async def test_an_immutable_catalog_has_tags_and_datasettes_pages_are_as_they_were(
    sample_catalog: Path,
) -> None:
    site = Datasette([], immutables=[str(sample_catalog)])
    for path in ("/find?spec=zlib-ng", "/catalog/tags.json"):
        tag = await tag_of(site, path)
        again = await site.client.get(path, headers={"If-None-Match": tag})
        assert again.status_code == 304
        assert "max-age=5," in again.headers["cache-control"]
    assert "content-security-policy" not in (await site.client.get("/catalog")).headers


async def test_other_databases_are_left_alone(sample_catalog: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    with closing(sqlite3.connect(other)) as db, db:
        db.execute("CREATE TABLE things (id)")
    site = Datasette([], immutables=[str(sample_catalog), str(other)])
    for path in ("/catalog/tags.json", "/other/things.json", "/find?spec=zlib-ng"):
        response = await site.client.get(path)
        assert response.status_code == 200
        assert "etag" not in response.headers
    alone = Datasette([], immutables=[str(other)])
    headers = (await alone.client.get("/other/things.json")).headers
    assert not {"etag", "content-security-policy", "x-content-type-options"} & set(headers)


async def test_our_pages_say_so_where_there_is_no_catalog() -> None:
    for path in ("/", "/packages", "/package/hdf5"):
        response = await Datasette([]).client.get(path)
        assert response.status_code == 503
        assert response.headers["content-security-policy"] == OUR_POLICY.decode()


async def test_the_home_of_other_databases_is_as_it_was(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "other.db")) as db:
        db.execute("CREATE TABLE something (it)")
    site = Datasette([str(tmp_path / "other.db")])
    for path in ("/", "/other", "/nothing"):
        assert "content-security-policy" not in (await site.client.get(path)).headers
    for path in ("/packages", "/find"):
        policy = (await site.client.get(path)).headers["content-security-policy"]
        assert policy == OUR_POLICY.decode()


async def test_the_server_of_somebodys_datasette_starts(sample_catalog: Path) -> None:
    told, said = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}], []

    async def receive() -> Any:
        return told.pop(0)

    async def send(message: Any) -> None:
        said.append(message["type"])

    for site in (Datasette([]), Datasette([], immutables=[str(sample_catalog)])):
        told[:], said[:] = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}], []
        await site.app()({"type": "lifespan", "asgi": {"version": "3.0"}}, receive, send)
        assert said == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


async def test_no_tags_where_datasette_is_told_to_send_none(sample_catalog: Path) -> None:
    site = Datasette([], immutables=[str(sample_catalog)], cache_headers=False)
    assert "etag" not in (await site.client.get("/catalog/tags.json")).headers


async def test_below_another_base_address(sample_catalog: Path) -> None:
    site = Datasette([], immutables=[str(sample_catalog)], settings={"base_url": "/spack/"})
    tag = await tag_of(site, "/find?spec=zlib-ng")
    again = await site.client.get("/find?spec=zlib-ng", headers={"If-None-Match": tag})
    assert again.status_code == 304
    assert again.headers["content-security-policy"] == OUR_POLICY.decode()


# The download.


@pytest.mark.parametrize(
    ("asked", "part"),
    [
        ("bytes=0-0", slice(0, 1)),
        ("bytes=100-199", slice(100, 200)),
        ("bytes=4096-", slice(4096, None)),
        ("bytes=-10", slice(-10, None)),
        ("bytes=-99999999999", slice(0, None)),
        ("bytes=10-99999999999", slice(10, None)),
    ],
)
async def test_a_part_of_the_file(site: Any, sample_catalog: Path, asked: str, part: slice) -> None:
    content = sample_catalog.read_bytes()
    response = await site.client.get("/catalog.db", headers={"Range": asked})
    start, stop, _ = part.indices(len(content))
    assert response.status_code == 206
    assert response.content == content[part]
    assert response.headers["content-range"] == f"bytes {start}-{stop - 1}/{len(content)}"
    assert response.headers["content-length"] == str(stop - start)
    assert response.headers["etag"] == f'"{site.get_database("catalog").hash}"'


@pytest.mark.parametrize(
    "asked",
    ["bytes=5-4", "bytes=a-b", "bytes=-", "bytes=0-1,4-5", "lines=0-1", "bytes=" + "9" * 30 + "-"],
)
async def test_what_is_not_one_part_is_the_whole(
    site: Any, sample_catalog: Path, asked: str
) -> None:
    response = await site.client.get("/catalog.db", headers={"Range": asked})
    assert response.status_code == 200
    assert digest_of(response.content) == digest_of(sample_catalog)
    assert response.headers["accept-ranges"] == "bytes"
    assert response.headers["cache-control"] == KEPT


@pytest.mark.parametrize("asked", ["bytes=999999999-", "bytes=999999999-9999999999", "bytes=-0"])
async def test_a_part_that_the_file_does_not_have(
    site: Any, sample_catalog: Path, asked: str
) -> None:
    response = await site.client.get("/catalog.db", headers={"Range": asked})
    assert response.status_code == 416
    assert response.headers["content-range"] == f"bytes */{sample_catalog.stat().st_size}"


async def test_a_download_is_resumed_only_with_the_same_file(site: Any) -> None:
    tag = f'"{site.get_database("catalog").hash}"'
    for known, status in ((tag, 206), ('"x"', 200), (f"W/{tag}", 200), ("yesterday", 200)):
        headers = {"Range": "bytes=10-19", "If-Range": known}
        response = await site.client.get("/catalog.db", headers=headers)
        assert response.status_code == status, known


async def test_a_file_that_is_known_is_not_sent(site: Any, sample_catalog: Path) -> None:
    tag = f'"{site.get_database("catalog").hash}"'
    for known in (tag, f"W/{tag}", f'"x", {tag}', "*"):
        for method in (site.client.get, site.client.head):
            response = await method("/catalog.db", headers={"If-None-Match": known})
            assert (response.status_code, response.content) == (304, b"")
            assert response.headers["etag"] == tag
            assert response.headers["cache-control"] == KEPT
    head = await site.client.head("/catalog.db", headers={"Range": "bytes=0-1"})
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(sample_catalog.stat().st_size)
