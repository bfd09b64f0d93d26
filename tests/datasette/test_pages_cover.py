"""``/cover``: a lock file is sent, held against the catalog, and forgotten."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from datasette_spack.serve import datasette_for
from datasette_spack.site import uploaded
from etl.locks import read
from tests.html_tree import main_of
from tests.real_data import unpacked

TAG = "v2025.07.0"


@pytest.fixture(scope="module")
def site(indexes_catalog: Path) -> Iterator[Any]:
    datasette = datasette_for(indexes_catalog)
    yield datasette
    datasette.get_database("catalog").close()


def lock_of(name: str) -> str:
    return (unpacked() / "locks" / name / "spack.lock").read_text("utf-8")


def files(name: str) -> dict[str, Any]:
    return {"file": ("spack.lock", lock_of(name).encode(), "application/json")}


async def test_the_form_says_what_is_kept_of_it(site: Any) -> None:
    shown = main_of((await site.client.get("/cover")).text)
    form = shown.one("form")
    assert form.attributes["method"] == "post"
    assert form.attributes["enctype"] == "multipart/form-data"
    assert "At most 20 MB. The file is not stored." in shown.text


async def test_a_lock_that_is_partly_there(site: Any) -> None:
    response = await site.client.post("/cover", files=files("partly-1.0"))
    assert response.status_code == 200
    shown = main_of(response.text)
    assert shown.section("answer").one("h2").text == f"15 of 23 specs in {TAG}"
    assert [it.text for it in shown.section("changes").all("td")] == [
        "4",
        "packages:all:require: target=x86_64_v3; remove x86_64_v2 from the spec"
        " zlib-ng@2.2.4 arch=None-None-x86_64_v2",
    ]
    assert [it.text for it in shown.section("causes").all("td")] == [
        "4",
        "built for x86_64_v2, the cache has x86_64_v3",
    ]
    assert [it.text for it in shown.section("missing").all("th")][5:] == [
        "compiler-wrapper@1.0 /plslpsy",
        "gcc-runtime@12.2.0 /tay66v3",
        "gmake@4.4.1 /rwl3z4p",
        "zlib-ng@2.2.4 /djepwry",
    ]


async def test_json_is_what_the_command_tells(site: Any, indexes_catalog: Path, run: Any) -> None:
    path = unpacked() / "locks" / "partly-1.0" / "spack.lock"
    told = json.loads(run("cover", path, "--catalog", indexes_catalog, "--format", "json").out)
    response = await site.client.post("/cover.json", files=files("partly-1.0"))
    assert response.json() == {"ok": True, **told, "file": "spack.lock"}


async def test_pasted_or_sent_by_a_script_it_is_the_same(site: Any) -> None:
    as_file = (await site.client.post("/cover.json", files=files("full-1.0"))).json()
    assert (len(as_file["available"]), as_file["missing"]) == (21, [])
    text = lock_of("full-1.0")
    form = {"content-type": "application/x-www-form-urlencoded"}
    for content, headers in (
        (urlencode({"lock": text}), form),
        (text, form),
        (text, {"content-type": "application/json"}),
        (text, {}),
    ):
        response = await site.client.post("/cover.json", content=content, headers=headers)
        assert response.json() == as_file, headers


async def test_of_one_tag_and_for_a_host(site: Any) -> None:
    response = await site.client.post(
        "/cover.json",
        files=files("full-1.0"),
        data={"tag": "newest-release", "host": "sequoia/m1"},
    )
    told = response.json()
    assert told["tag"] == TAG
    assert {it["reusable"] for it in told["available"]} == {False}
    page = await site.client.post(
        "/cover", files=files("full-1.0"), data={"tag": "any", "host": "sequoia/m1"}
    )
    answer = main_of(page.text).section("answer")
    assert "sequoia/m1 can use 0 of 21 specs in the cache" in answer.text
    reasons = [it.text for it in answer.all("li") if "this host" in it.text]
    assert len(reasons) == 1  # told once for all that have it
    assert reasons[0].startswith("20: built for linux, this host is darwin: berkeley-db@")
    assert reasons[0].endswith(" and 10 more")


@pytest.mark.parametrize(
    ("content", "form", "status", "error"),
    [
        ("", {}, 400, "no file was sent"),
        ("{", {}, 400, "is not JSON"),
        (b"\xff\xfe", {}, 400, "is not UTF-8 text"),
        ("spack:\n  specs: [hdf5]\n", {}, 400, "concretize it with"),
        (None, {"tag": "v9"}, 400, "v9"),
        (None, {"host": "nowhere/z80"}, 400, "z80"),
    ],
)
async def test_bad_input_gets_one_sentence(
    site: Any, content: Any, form: dict[str, str], status: int, error: str
) -> None:
    if content is None:
        response = await site.client.post("/cover.json", files=files("full-1.0"), data=form)
    else:
        headers = {"content-type": "text/plain"}
        response = await site.client.post("/cover.json", content=content, headers=headers)
    assert (response.status_code, response.json()["ok"]) == (status, False)
    assert error in response.json()["error"]


async def test_names_of_strangers_are_escaped(site: Any) -> None:
    told = json.loads(lock_of("partly-1.0"))
    for node in told["concrete_specs"].values():
        if node["name"] == "zlib-ng":
            node["version"] = "<script>alert(1)</script>"
    response = await site.client.post("/cover", content=json.dumps(told))
    assert response.status_code in (200, 400)
    assert "<script>alert" not in response.text


async def test_what_is_too_large_is_not_read(site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("datasette_spack.site.cover.MAX_BYTES", 1_000_000)
    monkeypatch.setattr(uploaded, "_ROOM", 0)
    monkeypatch.setattr(read, "MAX_BYTES", 1_000_000)
    response = await site.client.post("/cover.json", content=" " * 1_000_001)
    assert response.status_code == 413
    assert response.json()["error"] == "more than 1 MB was sent; not read"


async def test_a_form_that_ends_too_early(site: Any) -> None:
    headers = {"content-type": "multipart/form-data; boundary=x"}
    response = await site.client.post("/cover.json", content="--y\r\n", headers=headers)
    assert response.status_code == 400


async def test_other_methods_are_refused(site: Any) -> None:
    response = await site.client.put("/cover.json", content="{}")
    assert (response.status_code, response.headers["allow"]) == (405, "GET, HEAD, POST")
    assert response.json()["error"] == "Only GET, HEAD, POST are allowed at this address."


async def test_a_lock_of_thousands_that_nobody_has(site: Any) -> None:
    """Under the limits that a site has for statements and values."""
    digits = "abcdefghijklmnopqrstuvwxyz234567"
    hashes = [
        f"{'z' * 28}{''.join(digits[n >> 5 * place & 31] for place in range(4))}"
        for n in range(3_000)
    ]
    nodes = {
        hash_: {"name": "zlib-ng", "version": "2.2.4", "hash": hash_, "namespace": "builtin",
                "arch": {"platform": "linux", "platform_os": "rocky9", "target": "zen4"},
                "parameters": {}}
        for hash_ in hashes
    }  # fmt: skip
    lock = {
        "_meta": {"file-type": "spack-lockfile", "lockfile-version": 6, "specfile-version": 5},
        "roots": [{"hash": hash_, "spec": "zlib-ng"} for hash_ in hashes],
        "concrete_specs": nodes,
    }
    sent = {"file": ("spack.lock", json.dumps(lock).encode(), "application/json")}
    response = await site.client.post("/cover.json", files=sent)
    assert response.status_code == 200, response.text
    assert len(response.json()["missing"]) == 3_000
