"""Badges: the newest version that has a binary, as a picture; and what search engines are told."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from tests.html_tree import parse

SVG = "{http://www.w3.org/2000/svg}"


async def title(site: Any, path: str, status: int = 200) -> str:
    answer = await site.client.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (
        status,
        "image/svg+xml; charset=utf-8",
    )
    picture = ElementTree.fromstring(answer.content)
    assert picture.tag == f"{SVG}svg"
    assert picture.get("aria-label") == picture.findtext(f"{SVG}title")
    return picture.get("aria-label") or ""


def newest(catalog: Path, where: str) -> str:
    sql = f"SELECT version FROM binary_list WHERE {where} ORDER BY version_key DESC LIMIT 1"
    with closing(sqlite3.connect(catalog)) as db:
        (version,) = db.execute(sql).fetchone()
        return str(version)


async def test_the_newest_version_in_all_tags(site: Any, sample_catalog: Path) -> None:
    version = newest(sample_catalog, "package = 'hdf5'")
    assert await title(site, "/badge/hdf5.svg") == f"spack binary: hdf5 {version}"


async def test_the_newest_version_in_one_tag(site: Any, sample_catalog: Path) -> None:
    for tag in ("v2025.07.0", "develop-2024-11-17"):
        version = newest(sample_catalog, f"package = 'cmake' AND tag = '{tag}'")
        told = await title(site, f"/badge/cmake.svg?tag={tag}")
        assert told == f"spack binary, {tag}: cmake {version}"


async def test_the_newest_version_in_the_newest_release(site: Any) -> None:
    asked = await title(site, "/badge/cmake.svg?tag=newest-release")
    assert asked == await title(site, "/badge/cmake.svg?tag=v2025.07.0")


@pytest.mark.parametrize("name", ["gromacs", "glibc", "%3Cscript%3E"])
async def test_a_package_without_a_binary(site: Any, name: str) -> None:
    assert (await title(site, f"/badge/{name}.svg")).startswith("spack binary: no ")


async def test_a_tag_that_is_not_there(site: Any) -> None:
    told = await title(site, "/badge/hdf5.svg?tag=v9", 404)
    assert told == "spack binary, v9: no tag v9 in this catalog"


async def test_the_markdown_to_copy(site: Any) -> None:
    answer = await site.client.get("/package/hdf5", headers={"host": "spack.example"})
    (shown,) = [it for it in parse(answer.text).all("pre") if "badge" in it.text]
    assert shown.text == (
        "[![hdf5 as a Spack binary](http://spack.example/badge/hdf5.svg)]"
        "(http://spack.example/package/hdf5)"
    )


async def test_what_search_engines_are_told(site: Any, sample_catalog: Path) -> None:
    answer = await site.client.get("/package/hdf5", headers={"host": "spack.example"})
    assert "unsafe-inline" not in answer.headers.get("content-security-policy", "")
    (block,) = [it for it in parse(answer.text).all("script") if it.attributes.get("type")]
    assert block.attributes == {"type": "application/ld+json"}
    said = json.loads(block.raw)
    assert said["@context"] == "https://schema.org"
    assert said["@type"] == "SoftwareApplication"
    assert said["name"] == "hdf5"
    assert said["url"] == "http://spack.example/package/hdf5"
    assert said["softwareVersion"] == newest(sample_catalog, "package = 'hdf5'")
