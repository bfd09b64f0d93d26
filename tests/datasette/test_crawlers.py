"""What crawlers are told: where not to go, and where to."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree

import pytest
from datasette.app import Datasette

from datasette_spack.serve import datasette_for
from datasette_spack.site import crawlers
from tests.sites import rows

SITEMAP = "{http://www.sitemaps.org/schemas/sitemap/0.9}"
HOSTILE = "<loc>&amp;\"'\u0001]]>é / ?#"


def allowed(robots: str, path: str) -> bool:
    """What RFC 9309 makes of a ``robots.txt``: the longest rule that matches decides."""
    rules = re.findall(r"^(Allow|Disallow): (\S+)$", robots, re.MULTILINE)
    matching = [
        (len(rule), kind == "Allow")
        for kind, rule in rules
        if re.match(re.escape(rule).replace(r"\*", ".*"), path)
    ]
    return max(matching, default=(0, True))[1]


async def addresses(site: Any, path: str = "/sitemap.xml") -> list[tuple[str, str | None]]:
    """The addresses in a sitemap, each with its day."""
    answer = await site.client.get(path, headers={"host": "spack.example"})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/xml; charset=utf-8"
    root = ElementTree.fromstring(answer.content)
    assert root.tag == f"{SITEMAP}urlset"
    return [
        (url.findtext(f"{SITEMAP}loc") or "", url.findtext(f"{SITEMAP}lastmod")) for url in root
    ]


async def test_robots(site: Any) -> None:
    answer = await site.client.get("/robots.txt", headers={"host": "spack.example"})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.text == (
        "User-agent: *\n"
        "Allow: /-/static\n"
        "Disallow: /-/\n"
        "Disallow: /catalog\n"
        "Disallow: /compare\n"
        "Disallow: /find\n"
        "Disallow: /search\n"
        "Disallow: /spec/\n"
        "Disallow: /suggest\n"
        "Disallow: /*?\n"
        "Disallow: /*.csv\n"
        "Disallow: /*.json\n"
        "\n"
        "Sitemap: http://spack.example/sitemap.xml\n"
    )


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/", True),
        ("/packages", True),
        ("/package/hdf5", True),
        ("/package/hdf5/feed.atom", True),
        ("/tag/releases%2Fv0.20", True),
        ("/stack/e4s", True),
        ("/-/static/app.css?d59929", True),
        ("/-/static-plugins/spack-catalog/site.css?1", True),
        ("/package/hdf5?tag=develop", False),
        ("/package/hdf5.json", False),
        ("/packages?page=2", False),
        ("/catalog/specs?_facet=os_id", False),
        ("/catalog.db", False),
        ("/compare/develop/v0.20.1", False),
        ("/find?spec=hdf5", False),
        ("/search?q=hdf5", False),
        ("/suggest.json?q=h", False),
        ("/spec/ta6pedvdixmtsxl6zzxbsro4hfbn3wej", False),
        ("/-/versions.json", False),
    ],
)
async def test_where_crawlers_may_go(site: Any, path: str, expected: bool) -> None:
    robots = (await site.client.get("/robots.txt")).text
    assert allowed(robots, path) is expected


async def test_crawlers_may_go_wherever_the_sitemap_leads(site: Any) -> None:
    robots = (await site.client.get("/robots.txt")).text
    for address, _ in await addresses(site):
        assert allowed(robots, address.removeprefix("http://spack.example"))


async def test_sitemap(site: Any, sample_catalog: Path) -> None:
    found = await addresses(site)
    home = "http://spack.example"
    assert found[:5] == [
        (f"{home}/", "2025-07-20"),
        (f"{home}/packages", "2025-07-20"),
        (f"{home}/tags", "2025-07-20"),
        (f"{home}/stacks", "2025-07-20"),
        (f"{home}/package/adiak", "2023-07-10"),
    ]
    packages = rows(sample_catalog, "SELECT name FROM packages WHERE binaries > 0 ORDER BY name")
    stacks = rows(
        sample_catalog,
        "SELECT name FROM stacks WHERE id IN (SELECT stack_id FROM mirrors WHERE binaries > 0)"
        " ORDER BY name",
    )
    tags = [
        "develop",
        "develop-2025-07-20",
        "v2025.07.0",
        "develop-2025-03-30",
        "develop-2025-03-23",
        "develop-2024-11-17",
        "v0.20.1",
    ]
    assert [address for address, _ in found[4:]] == [
        *(f"{home}/package/{name}" for (name,) in packages),
        *(f"{home}/tag/{name}" for name in tags),
        *(f"{home}/stack/{name}" for (name,) in stacks),
    ]
    days = dict(found)
    assert days[f"{home}/tag/develop"] is None
    assert days[f"{home}/tag/v2025.07.0"] == "2025-07-18"
    assert days[f"{home}/package/hdf5"] == "2025-07-20"
    assert days[f"{home}/stack/e4s"] == "2025-07-18"


async def test_everything_on_the_sitemap_is_there(site: Any) -> None:
    for address, _ in await addresses(site):
        if "/package/" not in address or address.endswith("/hdf5"):
            path = address.removeprefix("http://spack.example")
            assert (await site.client.get(path)).status_code == 200, path


async def test_a_sitemap_in_parts(site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = await addresses(site)
    monkeypatch.setattr(crawlers, "MAX_ADDRESSES", 50)
    answer = await site.client.get("/sitemap.xml", headers={"host": "spack.example"})
    root = ElementTree.fromstring(answer.content)
    assert root.tag == f"{SITEMAP}sitemapindex"
    parts = [it.findtext(f"{SITEMAP}loc") or "" for it in root]
    assert parts == [f"http://spack.example/sitemap-{part}.xml" for part in (1, 2, 3)]
    found = [await addresses(site, part.removeprefix("http://spack.example")) for part in parts]
    assert [len(part) for part in found[:2]] == [50, 50]
    assert [it for part in found for it in part] == whole


@pytest.mark.parametrize("part", ["2", "9999", "0", "x", "99999"])
async def test_a_part_that_is_not_there(site: Any, part: str) -> None:
    assert (await site.client.get(f"/sitemap-{part}.xml")).status_code == 404


async def test_hostile_names(sample_catalog: Path, tmp_path: Path) -> None:
    catalog = tmp_path / "catalog.db"
    catalog.write_bytes(sample_catalog.read_bytes())
    with closing(sqlite3.connect(catalog)) as db:
        db.execute("UPDATE packages SET name = ? WHERE name = 'hdf5'", (HOSTILE,))
        db.execute("UPDATE packages SET name = ? WHERE name = 'cmake'", ("x" * 3000,))
        db.execute("UPDATE tags SET name = ? WHERE name = 'v0.20.1'", ("releases/v0.20",))
        db.commit()
    site = datasette_for(catalog)
    found = [address for address, _ in await addresses(site)]
    site.get_database("catalog").close()
    assert f"http://spack.example/package/{quote(HOSTILE, safe='')}" in found
    assert "http://spack.example/tag/releases%2Fv0.20" in found
    assert max(map(len, found)) < 2048


async def test_a_hostile_host(site: Any) -> None:
    headers = {"host": 'x"><script>&é'.encode("latin-1")}
    robots = (await site.client.get("/robots.txt", headers=headers)).text
    assert "Sitemap: http://x%22%3E%3Cscript%3E&%C3%A9/sitemap.xml\n" in robots
    sitemap = await site.client.get("/sitemap.xml", headers=headers)
    assert "<loc>http://x%22%3E%3Cscript%3E&amp;%C3%A9/packages</loc>" in sitemap.text
    for path in ("/robots.txt", "/sitemap.xml"):
        assert (await site.client.get(path, headers={"host": "["})).status_code == 400


async def test_below_another_path(sample_catalog: Path) -> None:
    site = datasette_for(sample_catalog)
    site._settings["base_url"] = "/spack/"
    robots = (await site.client.get("/robots.txt", headers={"host": "a.example"})).text
    found = await addresses(site)
    site.get_database("catalog").close()
    assert "Disallow: /spack/catalog\n" in robots
    assert "Sitemap: http://a.example/spack/sitemap.xml\n" in robots
    assert found[0][0] == "http://spack.example/spack/"
    assert found[4][0] == "http://spack.example/spack/package/adiak"


async def test_no_catalog() -> None:
    site = Datasette([], memory=True)
    robots = await site.client.get("/robots.txt")
    assert (robots.status_code, robots.text) == (503, "no catalog is served\n")
    assert robots.headers["content-type"] == "text/plain; charset=utf-8"
    sitemap = await site.client.get("/sitemap.xml")
    assert sitemap.status_code == 503
    assert "No catalog yet" in sitemap.text
