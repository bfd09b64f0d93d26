from __future__ import annotations

import csv
import io
import re
import sqlite3
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from etl.catalog.reader import open_catalog
from tests.html_tree import main_of

MPI = "ta6pedvdixmtsxl6zzxbsro4hfbn3wej"


async def ask(site: Any, spec: str, kind: str = "", **arguments: str) -> Any:
    more = "".join(f"&{name}={quote(value)}" for name, value in arguments.items())
    return await site.client.get(f"/find{kind}?spec={quote(spec)}{more}")


async def test_the_newest_tag_that_has_it(site: Any) -> None:
    answer = (await ask(site, "hdf5+mpi", ".json")).json()
    assert (answer["ok"], answer["tag"], answer["truncated"]) == (True, "develop-2025-07-20", False)
    assert [row["hash"] for row in answer["binaries"]] == [MPI]


async def test_the_page_says_what_all_have_once(site: Any) -> None:
    page = await ask(site, "zlib-ng@2.2:")
    assert page.status_code == 200
    assert "2 binaries in" in page.text
    assert "<dt>Compiler</dt><dd>gcc@12.2.0</dd>" in page.text
    assert '<td class="variants"><code>~shared</code></td>' in page.text
    assert '<th scope="col">compiler</th>' not in page.text


async def test_choosing_a_facet(site: Any) -> None:
    page = await ask(site, "hdf5", tag="v2025.07.0")
    assert "os=ubuntu24.04" in page.text
    chosen = (await ask(site, "hdf5", ".json", tag="v2025.07.0", version="1.14.6")).json()
    assert {row["version"] for row in chosen["binaries"]} == {"1.14.6"}
    stack = (await ask(site, "hdf5", ".json", tag="v2025.07.0", stacks="radiuss")).json()
    assert stack["binaries"]
    assert all("radiuss" in row["stacks"].split() for row in stack["binaries"])


async def test_csv_has_what_json_has(site: Any) -> None:
    rows = (await ask(site, "hdf5", ".json", tag="any")).json()["binaries"]
    text = (await ask(site, "hdf5", ".csv", tag="any")).text
    assert [row["hash"] for row in csv.DictReader(io.StringIO(text))] == [
        row["hash"] for row in rows
    ]


async def test_the_sql_can_be_edited(site: Any) -> None:
    sql = (await ask(site, "hdf5+mpi", ".json")).json()["sql"]
    answer = await site.client.get(
        f"/catalog.json?sql={quote(sql)}&_shape=objects", follow_redirects=True
    )
    assert [row["hash"] for row in answer.json()["rows"]] == [MPI]
    page = await ask(site, "hdf5+mpi")
    assert "/catalog?sql=SELECT" in page.text or "/catalog?sql=WITH" in page.text


async def test_a_query_with_a_mistake(site: Any) -> None:
    page = await ask(site, "hdf5@@1")
    assert page.status_code == 400
    assert "<pre>hdf5<mark>@</mark>@1</pre>" in page.text
    answer = await ask(site, "hdf5@@1", ".json")
    assert answer.status_code == 400
    assert answer.json() == {
        "ok": False,
        "error": "expected a version after '@', as in @1.14, @1.2:1.4 or @=1.14",
        "span": [4, 5],
    }


async def test_nothing_found(site: Any) -> None:
    page = await ask(site, "hdf5 os=debian12")
    assert page.status_code == 200
    assert "No match in any tag" in page.text
    assert "without os=debian12: 20 specs; available: ubuntu22.04 (14)" in page.text


async def test_several_specs_are_explained(site: Any, sample_catalog: Path) -> None:
    tag = "v2025.07.0"
    page = main_of((await ask(site, "hdf5+mpi zlib-ng@1", tag=tag)).text)
    section = page.section("explained")
    assert [it.text for it in section.all("h3")] == ["hdf5 +mpi", "zlib-ng@1"]
    of_hdf5, of_zlib = (it.rows[1:] for it in section.all("table"))
    with open_catalog(sample_catalog) as db:
        in_tag = f"SELECT count(*) FROM binary_list WHERE tag = '{tag}' AND package ="
        (hdf5,) = db.execute(f"{in_tag} 'hdf5'").fetchone()
        (with_mpi,) = db.execute(f"{in_tag} 'hdf5' AND variants LIKE '%+mpi%'").fetchone()
        (zlib,) = db.execute(f"{in_tag} 'zlib-ng'").fetchone()
    assert hdf5 > with_mpi > 0
    assert of_hdf5 == [
        ["hdf5", str(hdf5), "the package"],
        ["+mpi", str(with_mpi), "with mpi true"],
    ]
    assert of_zlib == [
        ["zlib-ng", str(zlib), "the package"],
        ["@1", "0", "with such a version"],
    ]
    (misses,) = section.all("ul", class_="near-misses")
    assert f"without @1: {zlib} binaries; available: 2.2.4 ({zlib})" in misses.text
    facts = (await site.client.get(f"/find.json?spec=hdf5%2Bmpi+zlib-ng%401&tag={tag}")).json()
    assert [(it["spec"], it["total"]) for it in facts["explained"]] == [
        ("hdf5 +mpi", with_mpi),
        ("zlib-ng@1", 0),
    ]
    assert [it["left"] for it in facts["explained"][1]["steps"]] == [zlib, 0]


async def test_one_spec_is_explained_where_that_is_asked(site: Any) -> None:
    page = main_of((await ask(site, "hdf5+mpi", tag="v2025.07.0")).text)
    assert "Matches after each constraint" not in [it.text for it in page.all("h2")]
    asked = await site.client.get(page.links["Explain: matches after each constraint"])
    rows = main_of(asked.text).section("explained").one("table").rows
    assert [row[0] for row in rows] == ["Constraint", "hdf5", "+mpi"]


async def test_a_package_in_another_spelling(site: Any) -> None:
    page = await ask(site, "HDF5+mpi", tag="v2025.07.0")
    assert "there is no package HDF5; hdf5 is meant." in page.text
    own = (await site.client.get("/find.csv?spec=hdf5%2Bmpi&tag=v2025.07.0")).text
    assert own.count("\n") > 1
    other = (await site.client.get("/find.csv?spec=HDF5%2Bmpi&tag=v2025.07.0")).text
    assert other == own


async def test_a_place_that_is_not_there(site: Any) -> None:
    page = await ask(site, "hdf5", stack="e4ss")
    assert page.status_code == 400
    assert "no stack e4ss in this catalog; did you mean e4s?" in page.text


@pytest.mark.parametrize("spec", ["<script>alert(1)</script>", "hdf5 x='\"><script>'"])
async def test_what_is_asked_is_escaped(site: Any, spec: str) -> None:
    page = await ask(site, spec)
    assert "<script>alert" not in page.text
    assert '"><script>' not in page.text


async def test_the_empty_form(site: Any) -> None:
    page = await site.client.get("/find")
    assert page.status_code == 200
    assert '<input type="search" id="spec"' in page.text
    assert 'id="found"' not in page.text


@pytest.mark.parametrize(
    ("spec", "label", "address"),
    [
        ("hdf55 +mpi", "hdf5", "/find?spec=hdf5+%2Bmpi"),
        ("hdf5 os=debian12", "without os=debian12", "/find?spec=hdf5"),
    ],
)
async def test_a_near_miss_leads_on(site: Any, spec: str, label: str, address: str) -> None:
    page = await ask(site, spec)
    assert f'<a href="{address}" rel="nofollow">{label}</a>' in page.text
    assert 'id="found">0' not in (await site.client.get(address)).text


async def test_a_near_miss_leads_out_of_a_stack(site: Any) -> None:
    page = await ask(site, "hdf5~mpi", tag="v2025.07.0", stack="tutorial")
    way = '<a href="/find?spec=hdf5~mpi&amp;tag=v2025.07.0" rel="nofollow">without tutorial</a>'
    assert way in page.text


async def sql(site: Any, query: str) -> Any:
    answer = await site.client.get(
        f"/catalog.json?sql={quote(query)}&_shape=array", follow_redirects=True
    )
    return answer.json()


async def test_satisfies_in_sql(site: Any) -> None:
    found = await sql(
        site,
        "SELECT DISTINCT hash FROM spec_list WHERE package = 'hdf5'"
        " AND satisfies(hash, 'hdf5@1.14.6: +mpi ^mpich')",
    )
    assert found == [{"hash": MPI}]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (f"'{MPI}', '+mpi'", 1),
        (f"'{MPI}', '~mpi'", 0),
        (f"'{MPI}', '/ta6p +mpi'", 1),
        (f"'{MPI}', '/abc'", 0),
        (f"'{MPI}', NULL", None),
        ("NULL, '+mpi'", None),
        ("'no hash', '+mpi'", 0),
    ],
)
async def test_satisfies_of_one(site: Any, arguments: str, expected: int | None) -> None:
    assert await sql(site, f"SELECT satisfies({arguments}) AS it") == [{"it": expected}]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(
    ("question", "error"),
    [
        (f"SELECT satisfies('{MPI}', 'hdf5@@')", "satisfies: expected a version after '@'"),
        ("SELECT satisfies(hash, 'hdf5@@') FROM specs", "satisfies: expected a version after '@'"),
        (
            f"SELECT reusable('{MPI}', 'rocky88')",
            "reusable: no host rocky88: expected a distribution with a CPU as in rocky8/zen3;"
            " did you mean rocky8",
        ),
        (f"SELECT reusable('{MPI}', '/etc/passwd')", "reusable: no host /etc/passwd: expected a d"),
    ],
)
async def test_functions_say_why_they_fail(site: Any, question: str, error: str) -> None:
    answer = await site.client.get("/catalog.json?sql=" + quote(question), follow_redirects=True)
    assert answer.status_code == 400
    assert answer.json()["error"].startswith(error)
    # Of the next that fails by itself nothing else is said.
    other = await site.client.get(
        "/catalog.json?sql=SELECT+abs(-9223372036854775807-1)", follow_redirects=True
    )
    assert other.json()["error"] == "integer overflow"


async def test_fields_without_a_spec_ask_for_any(site: Any) -> None:
    found = (await site.client.get("/find.json?stack=tutorial&tag=develop-2025-07-20")).json()
    assert found["total"] == len(found["binaries"]) == 35
    page = await site.client.get("/find?stack=tutorial&tag=develop-2025-07-20")
    assert "35 binaries in" in page.text


async def test_all_is_there_page_by_page_and_at_once(
    site: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("datasette_spack.site.find.MAX_SHOWN", 100)
    whole = (await site.client.get("/find.json?spec=*&tag=any")).json()
    assert whole["total"] == len(whole["binaries"]) == 684
    listed: list[str] = []
    for number in range(1, 8):
        page = (await site.client.get(f"/find?spec=*&tag=any&page={number}")).text
        assert "684 specs in all tags" in page
        listed += re.findall(r'<a href="/spec/[a-z2-7]+" title="([a-z2-7]{32})">', page)
    assert listed == [row["hash"] for row in whole["binaries"]]
    text = (await site.client.get("/find.csv?spec=*&tag=any")).text
    assert len(list(csv.DictReader(io.StringIO(text)))) == 684


async def test_facets_count_all_of_it(site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("datasette_spack.site.find.MAX_SHOWN", 3)
    page = (await site.client.get("/find?spec=*&tag=v2025.07.0")).text
    rows = await sql(
        site,
        "SELECT target, count(*) AS n FROM binary_list WHERE tag = 'v2025.07.0' GROUP BY 1",
    )
    for row in rows:
        assert re.search(rf">{row['target']}</a> <span class=\"muted\">{row['n']}</span>", page)
    chosen = (await site.client.get("/find.json?spec=*&tag=v2025.07.0&package=hdf5")).json()
    assert {row["package"] for row in chosen["binaries"]} == {"hdf5"}
    assert chosen["total"] == len(chosen["binaries"])


async def test_what_is_meant_is_offered(site: Any) -> None:
    page = (await ask(site, "hdf5 mpi")).text
    assert '<a href="/find?spec=hdf5+%2Bmpi" rel="nofollow"><code>hdf5 +mpi</code></a>?' in page
    assert "mpi is a virtual package" in page
    assert "Any of 2 specs: hdf5, 1.14." in (await ask(site, "hdf5 1.14")).text
    assert (await ask(site, "hdf5 1.14", ".json")).json()["meant"] == ["did you mean hdf5@1.14?"]


async def test_each_of_several_specs_is_explained(site: Any) -> None:
    page = (await ask(site, "hdf55 zlibng")).text
    assert "no package hdf55 in this catalog" in page
    assert "no package zlibng in this catalog" in page


async def test_no_more_streams_than_there_are_connections(site: Any) -> None:
    database = site.get_database("catalog")
    borrowed = [database.borrow() for _ in range(4)]
    try:
        busy = await ask(site, "hdf5", ".csv")
        assert (busy.status_code, busy.headers["retry-after"]) == (503, "10")
        assert (await ask(site, "hdf5")).status_code == 200
    finally:
        for connection in borrowed:
            database.give_back(connection)
    assert (await ask(site, "hdf5", ".csv")).status_code == 200


async def test_reusable_in_sql(site: Any) -> None:
    found = await sql(
        site,
        "SELECT reusable(hash, 'ubuntu22.04/zen3') AS taken, count(*) AS n FROM spec_list"
        " WHERE package = 'hdf5' AND last_tag = 'develop-2025-07-20' GROUP BY 1",
    )
    assert found == [{"taken": 0, "n": 2}]
    found = await sql(site, f"SELECT reusable('{MPI}', 'debian12/zen3') AS it")
    assert found == [{"it": 1}]
    found = await sql(site, "SELECT reusable('nosuch', 'debian12/zen3') AS it")
    assert found == [{"it": None}]
    found = await sql(site, f"SELECT reusable('{MPI}', NULL) AS it")
    assert found == [{"it": None}]


@pytest.mark.parametrize("kind", ["", ".json", ".csv"])
async def test_more_specs_than_one_statement_holds(site: Any, kind: str) -> None:
    answer = await ask(site, " ".join(f"a{number}" for number in range(300)), kind)
    is_limited = hasattr(sqlite3.Connection, "setlimit")  # Python 3.11 has it
    assert answer.status_code == (400 if is_limited else 200)
    assert ("the query is too complex; use fewer specs" in answer.text) == is_limited
