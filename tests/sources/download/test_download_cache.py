from __future__ import annotations

import hashlib
from pathlib import Path

import platformdirs
import pytest

from etl.sources.download.cache import DownloadCache, Remembered

SUM = hashlib.sha256(b"hello").hexdigest()
URL = "https://example.org/a"
HASH = "3xsugsry35ptxtijcfjebdrtbhg26ibc"


def files_in(folder: Path) -> list[str]:
    return sorted(
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()
    )


def keep(cache: DownloadCache, data: bytes) -> str:
    with cache.receive() as incoming:
        incoming.write(data)
    return incoming.sha256


def test_content_is_found_by_its_checksum(tmp_path: Path) -> None:
    cache = DownloadCache(tmp_path)
    assert cache.find(SUM) is None
    assert keep(cache, b"hello") == SUM
    assert cache.find(SUM) == cache.path(SUM) == tmp_path / "blobs" / SUM[:2] / SUM
    assert files_in(tmp_path) == [f"blobs/{SUM[:2]}/{SUM}"]


def test_damaged_content_is_thrown_away(tmp_path: Path) -> None:
    cache = DownloadCache(tmp_path)
    keep(cache, b"hello")
    cache.path(SUM).write_bytes(b"jello")
    assert cache.find(SUM) is None
    assert files_in(tmp_path) == []


def test_a_download_that_breaks_leaves_nothing(tmp_path: Path) -> None:
    cache = DownloadCache(tmp_path)

    def interrupted() -> None:
        with cache.receive() as incoming:
            incoming.write(b"hel")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert files_in(tmp_path) == []


def test_addresses_are_remembered(tmp_path: Path) -> None:
    cache = DownloadCache(tmp_path)
    assert cache.recall(URL) is None
    for found in (Remembered(SUM), Remembered(SUM, '"1"', "Mon, 01 Jan 2024 00:00:00 GMT")):
        cache.remember(URL, found)
        assert cache.recall(URL) == found
    assert len(files_in(tmp_path)) == 1


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"sha256": "x", "etag": 1}', "\ud800"])
def test_what_is_remembered_badly_is_forgotten(tmp_path: Path, text: str) -> None:
    cache = DownloadCache(tmp_path)
    cache.remember(URL, Remembered(SUM))
    (tmp_path / files_in(tmp_path)[0]).write_bytes(text.encode(errors="surrogatepass"))
    assert cache.recall(URL) is None


def test_paths_in_the_place_of_checksums_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not a SHA-256"):
        DownloadCache(tmp_path).find("../../../etc/passwd")


def test_secrets_in_addresses_are_not_kept(tmp_path: Path) -> None:
    DownloadCache(tmp_path).remember("https://me:secret@example.org/a?t=secret", Remembered(SUM))
    assert "secret" not in (tmp_path / files_in(tmp_path)[0]).read_text()


def test_sizes_add_up(tmp_path: Path) -> None:
    cache = DownloadCache(tmp_path)
    assert cache.sizes(URL) == {}
    for number in range(3):
        with cache.add_sizes(URL) as lines:
            lines.write(f"{str(number + 2) * 32} {number}\n")
    with cache.add_sizes(URL) as lines:
        lines.write(f"{HASH} 9 2026-10-16T10:00:00Z\n{'5' * 32} 3 yesterday\n")
    assert cache.sizes(URL) == {
        "2" * 32: (0, None),
        "3" * 32: (1, None),
        "4" * 32: (2, None),
        HASH: (9, "2026-10-16T10:00:00Z"),
        "5" * 32: (3, None),
    }
    assert cache.sizes(URL + "b") == {}


def test_bad_lines_of_sizes_are_passed_over(tmp_path: Path) -> None:
    cache = DownloadCache(tmp_path)
    with cache.add_sizes(URL) as lines:
        lines.write(f"x\n{HASH}\n{HASH} x\nx 1\n{HASH} {'9' * 30}\n{HASH[:9]}")
    with cache.add_sizes(URL) as lines:
        lines.write(f"{HASH} 5\n")
    assert cache.sizes(URL) == {HASH: (5, None)}


def test_the_cache_is_the_users_own() -> None:
    assert DownloadCache().path(SUM).is_relative_to(platformdirs.user_cache_path("spack-catalog"))
