"""Hostile sources and targets: one sentence for each, with its place, and never a traceback."""

from __future__ import annotations

import gzip
import io
import os
import random
import resource
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.running import Run, start
from tests.sites import SEED, as_nobody, build, front_matter, write_site

ROCBLAS = (SEED / "_cache/develop-2025-03-30/rocblas/specs.md").read_bytes()


def _pages(files: dict[str, bytes]) -> Callable[[Path], Path]:
    return lambda folder: write_site(folder / "source", files)


def _one(data: bytes, name: str = "page.md") -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        (folder / name).write_bytes(data)
        return folder / name

    return make


def _zip(files: dict[str, bytes]) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        with zipfile.ZipFile(folder / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            for place, data in files.items():
                archive.writestr(place, data)
        return folder / "a.zip"

    return make


def _tar(place: str, data: bytes = b"", kind: bytes = tarfile.REGTYPE) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        with tarfile.open(folder / "a.tar.gz", "w:gz") as archive:
            info = tarfile.TarInfo(place)
            info.type, info.size, info.linkname = kind, len(data), "/etc/passwd"
            archive.addfile(info, io.BytesIO(data))
        return folder / "a.tar.gz"

    return make


def _cut_tar(folder: Path) -> Path:
    path = _tar("specs.md", random.Random(1).randbytes(9000))(folder)
    path.write_bytes(path.read_bytes()[:5000])
    return path


def _encrypted(folder: Path) -> Path:
    path = _zip({"specs.md": ROCBLAS})(folder)
    data = bytearray(path.read_bytes())
    data[6] |= 1
    data[data.index(b"PK\1\2") + 8] |= 1
    path.write_bytes(data)
    return path


def _aliases(folder: Path) -> Path:
    line = b"b: [*a, *a, *a, *a, *a, *a, *a, *a, *a]\n"
    (folder / "page.md").write_bytes(b"---\na: &a [x, x]\n" + line * (100_000_000 // len(line)))
    return folder / "page.md"


def _linked(folder: Path) -> Path:
    source = write_site(folder / "source", {"README": b""})
    (source / "specs.md").symlink_to("/etc/passwd")
    return source


def _pipe(folder: Path) -> Path:
    os.mkfifo(folder / "specs.md")
    return folder / "specs.md"


def _pipe_in_folder(folder: Path) -> Path:
    (folder / "source").mkdir()
    return _pipe(folder / "source").parent


def _empty(folder: Path) -> Path:
    (folder / "empty").mkdir()
    return folder / "empty"


def _page_folder(folder: Path) -> Path:
    (folder / "source" / "specs.md").mkdir(parents=True)
    return folder / "source"


DEEP = b"[" * 100_000
HOSTILE: dict[str, tuple[Callable[[Path], Path], str]] = {
    "missing": (lambda folder: folder / "missing", "{source}: there is no such file or folder"),
    "a long name": (lambda folder: folder / ("a" * 300), "{source}: there is no such file"),
    "a very long name": (lambda folder: folder / ("a/" * 5000), "{source}: there is no such file"),
    "under a file": (
        lambda _: SEED / "_cache/v0.20.1/adiak/specs.md/x",
        "{source}: there is no such file or folder",
    ),
    "an empty folder": (_empty, "{source}: an empty folder; name a clone of the site"),
    "no pages": (_pages({"README": b""}), "{source}: no page (specs.md) at any depth; name a"),
    "a folder called specs.md": (_page_folder, "{source}: no page (specs.md) at any depth"),
    "an empty page": (_pages({"specs.md": b""}), "specs.md: no front matter"),
    "not YAML": (_pages({"a/specs.md": b"---\nmeta: [\n---"}), "a/specs.md: line 3, column 1: not"),
    "not YAML alone": (_one(b"---\nmeta: [\n---"), "page.md: line 3, column 1: not YAML"),
    "no text": (_one(b"---\n\xff\n---"), "page.md: not UTF-8 text: byte 4 is 0xff"),
    "NUL": (_one(bytes(1000)), "page.md: no front matter"),
    "NUL in YAML": (_one(b"---\na: \0\n---"), "page.md: not YAML: unacceptable character #x0000"),
    "a page of 2021": (
        _one(b"---\ncategory: package\nspec_names: [zlib]\n---"),
        "page.md: a page of the site's 2021 format (category: package, spec_names), which lists",
    ),
    "100 MB of aliases": (_aliases, "page.md: 16,777,217 bytes are more than a page can have"),
    "aliases": (
        _one(b"---\na: &a [x]\nb: &b [*a,*a]\nspec_details: [*b,*b]\n---"),
        "page.md: line 3: YAML aliases (*a) are not read",
    ),
    "deep YAML": (_one(b"---\na: " + DEEP + b"\n---"), "page.md: line 2: values are nested"),
    "deep JSON": (
        _one(front_matter("a", "b", "{}", f'[{{"a": {DEEP.decode()}')),
        "page.md: line 6: values are nested",
    ),
    "deep JSON that ends": (
        _one(front_matter("a", "b", "{}", f'[{{"a": {"[" * 100_000}{"]" * 100_000}}}]')),
        "page.md: line 6: values are nested",
    ),
    "deep meta": (
        _one(front_matter("a", "b", '{"a": ' + DEEP.decode(), "[]")),
        "page.md: meta: line 1: values are nested",
    ),
    "a crowd": (_one(b"---\na: [" + b"a," * 3_000_000 + b"]\n---"), "page.md: more than 500,000"),
    "a link": (_linked, "specs.md: a symbolic link, which is not followed"),
    "a pipe": (_pipe, "{source}: not a regular file"),
    "a pipe in a folder": (_pipe_in_folder, "specs.md: not a regular file"),
    "a device": (lambda _: Path("/dev/zero"), "/dev/zero: not a regular file"),
    "an odd name": (
        _pages({"a\n\x1b[31m/specs.md": b""}),
        r"a\n\x1b[31m/specs.md: no front matter",
    ),
    "a name that is no text": (
        _pages({os.fsdecode(b"\xff/specs.md"): b""}),
        r"\udcff/specs.md: no front matter",
    ),
    "zip: up": (_zip({"../specs.md": ROCBLAS}), "../specs.md: a path that leads out"),
    "zip: absolute": (_zip({"/a/specs.md": ROCBLAS}), "/a/specs.md: an absolute path"),
    "zip: nothing": (_zip({"README": b""}), "a.zip: an archive without a page (specs.md) in it"),
    "zip: empty": (_zip({}), "a.zip: an archive without a page (specs.md) in it"),
    "zip: encrypted": (_encrypted, "specs.md: encrypted, and cannot be read"),
    "zip: a bomb": (
        _zip({f"{n}/specs.md": bytes(10_000_000) for n in range(8)}),
        "a.zip: unpacks to more than 200 times its",
    ),
    "tar: up": (_tar("a/../../specs.md", ROCBLAS), "a/../../specs.md: a path that leads out"),
    "tar: absolute": (_tar("/specs.md", ROCBLAS), "/specs.md: an absolute path"),
    "tar: a link": (
        _tar("specs.md", kind=tarfile.SYMTYPE),
        "specs.md: a symbolic link, which is not",
    ),
    "tar: a hard link": (
        _tar("specs.md", kind=tarfile.LNKTYPE),
        "specs.md: a symbolic link, which is not",
    ),
    "tar: a device": (_tar("specs.md", kind=tarfile.CHRTYPE), "specs.md: not a regular file"),
    "tar: a bomb": (_tar("large", bytes(100_000_000)), "a.tar.gz: unpacks to more than 200 times"),
    "tar: cut off": (_cut_tar, "a.tar.gz: damaged archive: Compressed file ended before"),
    "a zip that is none": (_one(b"PK\3\4", "a.zip"), "a.zip: damaged archive: File is not a zip"),
    "a zip that is text": (_one(b"hello", "a.zip"), "a.zip: no front matter"),
    "gzip of something else": (_one(gzip.compress(b"hello"), "a.gz"), "a.gz: damaged archive: "),
    "no specs to read": (
        _one(front_matter("a", "b", "{}", "[" + "{}," * 2000 + "{}]")),
        "page.md: more than 1,000 of its specs cannot be read",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_source(run: Run, tmp_path: Path, name: str) -> None:
    make, sentence = HOSTILE[name]
    source = make(tmp_path)
    message = sentence.format(source=source)
    catalog = tmp_path / "out" / "a.db"
    write_site(catalog.parent, {"a.db": b"before"})

    alone = run("build", source, "--catalog", catalog, "--no-progress")
    assert (alone.code, alone.out) == (3, "")
    assert message in alone.err
    assert "a bomb" in name or alone.err.count("\n") == 2  # nothing to write, and why
    assert alone.err.replace("\n", "").isprintable()
    assert catalog.read_bytes() == b"before"

    with_others = run("build", source, SEED, "--catalog", catalog, "--no-progress")
    assert with_others.code == 1
    assert " 46 binaries, " in with_others.out
    assert message in with_others.err
    assert all(line.startswith("refused: ") for line in with_others.err.splitlines())
    assert run("check", "--catalog", catalog).code == 0
    assert list(catalog.parent.iterdir()) == [catalog]


@pytest.mark.parametrize("name", ["a/specs.md", "specs.md", "a.zip"])
def test_the_path_that_the_user_gave_is_told(run: Run, tmp_path: Path, name: str) -> None:
    path = tmp_path / "site" / name
    write_site(tmp_path / "site", {name: b"PK\3\4" if name == "a.zip" else b""})
    for source in (path, tmp_path / "site") if name != "a.zip" else (path,):
        catalog = tmp_path / "a.db"
        assert str(path) in run("build", source, "--catalog", catalog, "--no-progress").err
        assert str(path) in run("build", source, SEED, "--catalog", catalog, "--no-progress").err


@pytest.mark.parametrize(
    "name", ["missing", "100 MB of aliases", "tar: a bomb", "deep JSON that ends"]
)
def test_hostile_sources_take_little_memory(tmp_path: Path, name: str) -> None:
    source = HOSTILE[name][0](tmp_path)

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (600_000_000, 600_000_000))

    done = start("build", source, "--catalog", tmp_path / "a.db", preexec_fn=limit)
    assert done.returncode == 3
    assert b"Traceback" not in done.stderr


def test_what_nobody_may_read(run: Run, open_folder: Path) -> None:
    site = write_site(open_folder / "site", {"a/specs.md": ROCBLAS, "b/specs.md": b"", "c/x": b""})
    (site / "b" / "specs.md").chmod(0)
    (site / "c").chmod(0)
    catalog = open_folder / "a.db"
    with as_nobody():
        done = run("build", site, "--catalog", catalog, "--no-progress")
        alone = run("build", site / "c", "--catalog", catalog, "--no-progress")
    assert done.code == 1
    assert sorted(done.err.splitlines()) == [
        f"refused: {site}/b/specs.md: cannot be read: Permission denied",
        f"refused: {site}/c/: cannot be listed: Permission denied",
    ]
    assert alone.code == 3
    assert "cannot be listed: Permission denied" in alone.err


# Where nothing can be written.


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("folder", "{target}: is a folder; name the file to write"),
        ("missing/a.db", "{target}: the folder {folder}/missing does not exist; make it first"),
        ("/dev/full", "{target}: is not a regular file; name another"),
        ("/dev/null", "{target}: is not a regular file; name another"),
        ("/proc/self/a.db", "{target}: cannot be written: "),
        ("a" * 300, "{target}: cannot be written: File name too long"),
        ("", ".: is a folder; name the file to write"),
    ],
)
def test_a_target_that_cannot_be_written(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    done = run("build", SEED, "--catalog", target, "--no-progress")
    assert (done.code, done.out, done.err.count("\n")) == (3, "", 1)
    assert done.err.startswith(
        "spack-catalog: " + message.format(target=Path(target), folder=tmp_path)
    )
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_a_read_only_folder_and_file(run: Run, open_folder: Path) -> None:
    catalog = open_folder / "a.db"
    catalog.write_bytes(b"before")
    catalog.chmod(0o444)
    with as_nobody():
        file = run("build", SEED, "--catalog", catalog, "--no-progress")
    open_folder.chmod(0o555)
    with as_nobody():
        folder = run("build", SEED, "--catalog", open_folder / "b.db", "--no-progress")
    assert (file.code, file.err) == (
        3,
        f"spack-catalog: {catalog}: is read-only; name another file or allow writing\n",
    )
    assert (folder.code, folder.err) == (
        3,
        f"spack-catalog: {open_folder / 'b.db'}: cannot be written: Permission denied\n",
    )
    assert catalog.read_bytes() == b"before"


def test_a_folder_to_export_to_that_is_a_file(run: Run, tmp_path: Path) -> None:
    build(tmp_path / "a.db", SEED)
    assert run("export", "pages", tmp_path / "a.db", "--catalog", tmp_path / "a.db").code == 2
    (tmp_path / "_cache").write_bytes(b"")
    done = run("export", "pages", tmp_path, "--catalog", tmp_path / "a.db", "--no-progress")
    assert done.code == 3
    assert done.err.endswith("specs.md: cannot be written: Not a directory\n")
