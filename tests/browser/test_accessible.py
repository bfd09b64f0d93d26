"""Every kind of page can be used by everybody: with keys alone, on a phone, light and dark.

axe-core looks for the mistakes that a program can find; ``.ci/axe`` installs it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.browser.driver import Browser

AXE = Path(__file__).parents[2] / ".tools" / "axe" / "node_modules" / "axe-core" / "axe.min.js"

PAGES = {
    "": 200,
    "packages": 200,
    "package/hdf5": 200,
    "package/nope": 404,
    "package/zlib-ng/impact?tag=v2025.07.0": 200,
    "package/zlib-ng/impact?version=nope@": 400,
    "spec/{hash}": 200,
    "spec/nope": 404,
    "tags": 200,
    "tag/develop-2025-07-20": 200,
    "stacks": 200,
    "stack/e4s": 200,
    "compare/develop-2024-11-17/develop-2025-07-20": 200,
    "compare": 200,
    "compare/develop-2024-11-17/nope": 404,
    "cover": 200,
    "find": 200,
    "find?spec=hdf5": 200,
    "find?spec=hdf5@@": 400,
    "catalog": 200,
    "catalog/binaries?_size=20": 200,
    "catalog/binaries?tag=develop-2024-11-17&_facet=version_id&_size=5": 200,
    "catalog/package_list?_size=20": 200,
    "catalog/specs/1": 200,
    "catalog/find_binaries?package=hdf5": 200,
    "catalog?sql=select+hash,+id+from+specs+limit+3": 200,
    "catalog?sql=select+nope": 400,
    "catalog/nope": 404,
}
"""An address for every kind of page, and the status that it has."""

TAB, ENTER, ESCAPE, DOWN, UP = "\ue004", "\ue007", "\ue00c", "\ue015", "\ue013"

SCREENS = ((1200, 1000), (360, 740))

_COLOURS = ["color-contrast", "link-in-text-block"]
"""What can be wrong in the dark and right in the light."""

_RUN_AXE = """
    const only = arguments[0];
    const found = await axe.run({
        resultTypes: ["violations"],
        ...(only ? { runOnly: only } : { rules: { "target-size": { enabled: true } } }),
    });
    return found.violations
        .filter(({ impact }) => impact === "serious" || impact === "critical")
        .flatMap(({ id, nodes }) => nodes.map(({ html, any }) =>
            [id, html.slice(0, 200), any.map(({ message }) => message).join("; ")].join(" | ")));
"""
_STATUS = "return performance.getEntriesByType('navigation')[0].responseStatus"
_TOO_WIDE = """
    if (document.scrollingElement.scrollWidth <= innerWidth) {
        return [];
    }
    const outside = [...document.querySelectorAll("body *")]
        .filter((element) => element.getBoundingClientRect().right > innerWidth)
        .map((element) => element.outerHTML.slice(0, 150));
    return ["wider than the screen", ...outside];
"""


@pytest.fixture(scope="session")
def axe() -> str:
    """The program that looks for mistakes."""
    if not AXE.is_file():
        pytest.skip("axe-core is not installed (.ci/axe)")
    return AXE.read_text("utf-8")


@pytest.fixture(autouse=True)
def _as_it_was(window: Browser) -> Iterator[None]:
    window.complaints()
    yield
    window.stop_emulating()


@pytest.fixture(scope="session")
def one_hash(sample_catalog: Path) -> str:
    """The hash of a spec that has dependencies and dependents."""
    with closing(sqlite3.connect(sample_catalog)) as db:
        (found,) = db.execute("""
            SELECT hash FROM specs
            WHERE tags > 0 AND id IN (SELECT parent_id FROM dependencies)
                AND id IN (SELECT child_id FROM dependencies)
            ORDER BY hash LIMIT 1
        """).fetchone()
    return str(found)


def complaints(window: Browser, status: int) -> list[str]:
    """What the browser complains about, but for the status that the page is to have."""
    return [
        it
        for it in window.complaints()
        if f"the server responded with a status of {status}" not in it
    ]


def mistakes(window: Browser, only: list[str] | None = None) -> list[str]:
    """What axe-core finds serious or critical in the page that the window shows."""
    found: list[str] = window.run(f"return (async function () {{{_RUN_AXE}}})(arguments[0])", only)
    return found


def test_mistakes_are_found(window: Browser, axe: str) -> None:
    window.open(
        "data:text/html,<html lang=en><title>Bad</title><main><h1>Bad</h1><input>"
        "<p style='color:%23bbb;background:white'>pale</p>"
        "<a href=x style='font-size:8px'>1</a><br><a href=y style='font-size:8px'>2</a>"
    )
    window.run(axe)
    assert [it.split(" | ")[0] for it in mistakes(window)] == [
        *("color-contrast", "label", "target-size", "target-size")
    ]


@pytest.mark.parametrize("path", PAGES)
def test_nothing_keeps_anybody_from_using_a_page(
    window: Browser, address: str, axe: str, one_hash: str, path: str
) -> None:
    found = {}
    window.emulate(*SCREENS[0], "light")
    window.open(address + path.format(hash=one_hash))
    window.run(axe)
    for width, height in SCREENS:
        window.emulate(width, height, "light")
        found[width, "light"] = mistakes(window)
        window.emulate(width, height, "dark")
        found[width, "dark"] = mistakes(window, _COLOURS)
    assert window.run(_STATUS) == PAGES[path]
    assert {screen: bad for screen, bad in found.items() if bad} == {}


def test_a_page_that_is_too_wide_is_found(window: Browser) -> None:
    window.emulate(360, 740, "light")
    window.open("data:text/html,<p style='width:400px'>wide")
    assert window.run(_TOO_WIDE) == ["wider than the screen", '<p style="width:400px">wide</p>']


@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_never_wider_than_a_phone(
    window: Browser, address: str, one_hash: str, path: str
) -> None:
    window.emulate(360, 740, "light")
    window.open(address + path.format(hash=one_hash))
    assert window.run(_TOO_WIDE) == []
    assert complaints(window, PAGES[path]) == []


@pytest.mark.parametrize("path", ["", "package/hdf5", "catalog/binaries"])
def test_the_tab_key_goes_first_to_the_content(window: Browser, address: str, path: str) -> None:
    window.emulate(1200, 1000, "light")
    window.open(address + path)
    window.run("document.activeElement.blur()")
    window.press(TAB)
    assert window.run("return document.activeElement.innerText") == "Skip to the content"
    assert window.run("return document.activeElement.getBoundingClientRect().left") >= 0
    outline = "return getComputedStyle(document.activeElement).outlineStyle"
    assert window.run(outline) == "solid"
    window.press(ENTER)
    assert window.run("return document.activeElement.id") == "content"


_ANSWERS = """
    window.asked = [];
    window.fetch = (address, { signal }) => new Promise((answer, refuse) => {
        signal.addEventListener("abort", () => refuse(signal.reason));
        window.asked.push([new URL(address, location).search, (suggestions) => {
            answer(new Response(JSON.stringify({ suggestions })));
        }, refuse]);
    });
"""


def _suggest(window: Browser, *values: str) -> None:
    suggestions = [{"value": value, "label": "many"} for value in values]
    window.run("window.asked.at(-1)[1](arguments[0])", suggestions)


def _asked(window: Browser) -> list[str]:
    found: list[str] = window.run("return window.asked.map(([search]) => search)")
    return found


def _type(window: Browser, text: str) -> None:
    """Type, and wait until the page has asked for suggestions."""
    asked = len(_asked(window))
    window.type("#site-q", text)
    assert window.until(f"return window.asked.length > {asked}")


def _field(window: Browser) -> Any:
    return window.run("""
        const field = document.querySelector("#site-q");
        const active = document.getElementById(field.getAttribute("aria-activedescendant"));
        return [field.value, field.getAttribute("aria-expanded"), active?.innerText ?? null];
    """)


def test_suggestions_are_chosen_with_keys_alone(window: Browser, address: str) -> None:
    window.emulate(1200, 1000, "light")
    window.open(f"{address}catalog")
    window.run(_ANSWERS)
    _type(window, "hd")
    assert _asked(window) == ["?q=hd"]
    _suggest(window, "hdf5", "hdf5-vol-async")
    assert window.shows("hdf5-vol-async many")
    assert _field(window) == ["hd", "true", None]
    window.press(DOWN + DOWN)
    assert _field(window) == ["hd", "true", "hdf5-vol-async many"]
    window.press(UP)
    assert _field(window) == ["hd", "true", "hdf5 many"]
    window.press(ENTER)
    assert window.until("return location.pathname === '/package/hdf5'")


def test_suggestions_close_and_only_the_last_answer_counts(window: Browser, address: str) -> None:
    window.emulate(1200, 1000, "light")
    window.open(f"{address}catalog")
    window.run(_ANSWERS)
    _type(window, "h")
    _type(window, "d")
    window.run("window.asked[0][1]([{ value: 'h', label: 'too late' }])")
    _suggest(window, "<b>hdf5</b>")
    assert window.shows("<b>hdf5</b> many")
    assert "too late" not in window.text()
    window.press(ESCAPE)
    assert _field(window) == ["hd", "false", None]
    _type(window, "f")
    window.run("window.asked.at(-1)[2](new Error('no network'))")
    assert _field(window) == ["hdf", "false", None]
    assert window.complaints() == []


@pytest.mark.parametrize("clipboard", [True, False], ids=["clipboard", "no clipboard"])
def test_a_command_is_copied_and_it_is_said_aloud(
    window: Browser, address: str, clipboard: bool
) -> None:
    window.emulate(1200, 1000, "light")
    package = "hdf5" if clipboard else "cmake"
    window.open(f"{address}package/{package}")
    if not clipboard:  # as where the site is served without HTTPS
        window.run("navigator.clipboard.writeText = () => Promise.reject(new Error('refused'))")
    target = window.run("return document.querySelector('button.copy').dataset.copy")
    command = window.text(target).strip()
    window.click("css selector", "button.copy")
    assert window.until("return document.querySelector('[role=status]').innerText === 'Copied'")
    window.run("document.querySelector('#site-q').focus()")
    window.paste()
    pasted = window.run("return document.querySelector('#site-q').value")
    assert pasted.split() == command.split()
    assert f" {package}/" in pasted
