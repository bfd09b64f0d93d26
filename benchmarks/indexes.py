"""Measure `spack-catalog build` on a large build cache index, beside decoding its JSON alone.

    python -m benchmarks.indexes --specs 60000 [--index FILE]

A real index is blown up: its graph is repeated under other hashes until there are enough specs.
``--index`` names the real one, plain or gzip; without it that of the tests is used.  Decoding is
measured as ``json.loads`` of the file in a fresh Python, and once more without the garbage
collector, which takes most of that time and which a build switches off.
The exit code is 1 if a budget is not kept.
"""

from __future__ import annotations

import argparse
import gzip
import json
import re
import sys
import tempfile
from pathlib import Path

from benchmarks.processes import BUILD, CHECKOUT, run

DECODING_BUDGET = 4.0
"""CPU time of the build, at most, in times of ``json.loads`` of the index."""

MEMORY_BUDGET_MB = 1000
"""Memory of the build, at most."""

MIRRORS = CHECKOUT / "tests" / "data" / "mirrors"
_DECODE = "import json, sys; json.loads(open(sys.argv[1], encoding='utf-8').read())"
_BASE32 = "abcdefghijklmnopqrstuvwxyz234567"
_HASH = re.compile(r'("[a-z2-7]{32}")')


def blow_up(index: Path, specs: int, target: Path) -> int:
    """Write an index of at least so many specs to ``target``; returns how many it has."""
    data = index.read_bytes()
    text = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
    database = json.loads(text)["database"]
    installs = database["installs"]
    body = json.dumps(installs, separators=(",", ":"))
    result = dict(installs)
    copies = 0
    while len(result) < specs:
        copies += 1
        # Three characters of each hash say which copy it is; what is not in the cache stays one.
        copy = "".join(_BASE32[copies // place % 32] for place in (1024, 32, 1))
        renamed = {
            f'"{hash_}"': f'"{copy}{hash_[3:]}"'
            for hash_, record in installs.items()
            if record["in_buildcache"]
        }
        parts = [renamed.get(part, part) for part in _HASH.split(body)]
        result.update(json.loads("".join(parts)))
    target.parent.mkdir(parents=True)
    with target.open("w", encoding="utf-8") as stream:
        json.dump({"database": database | {"installs": result}}, stream, separators=(",", ":"))
    return len(result)


def main() -> None:
    """Read the command line, measure, print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--specs", type=int, default=60_000)
    parser.add_argument("--index", type=Path, help="a real index.json or index.json.gz")
    options = parser.parse_args()
    index = options.index or largest_index(MIRRORS)
    with tempfile.TemporaryDirectory() as folder:
        large = Path(folder) / "develop-2025-07-20" / "root" / "index.json"
        specs = blow_up(index, options.specs, large)
        decoding = run(("-c", _DECODE, large))
        bare = run(("-c", "import gc; gc.disable(); " + _DECODE, large))
        build = run((*BUILD, large.parents[1], "--catalog", Path(folder) / "catalog.db"))
        size = large.stat().st_size
    print("| specs | index MB | build CPU s | json.loads CPU s | ratio | without gc | peak MB |")
    print("|---:|---:|---:|---:|---:|---:|---:|")
    print(
        f"| {specs:,} | {size / 1e6:,.1f} | {build.cpu:.1f} | {decoding.cpu:.1f}"
        f" | {build.cpu / decoding.cpu:.2f} | {build.cpu / bare.cpu:.2f} | {build.peak_mb:,.0f} |"
    )
    if build.cpu > DECODING_BUDGET * decoding.cpu or build.peak_mb > MEMORY_BUDGET_MB:
        sys.exit(1)


def largest_index(mirrors: Path) -> Path:
    """The largest file below a folder that is the index of a build cache."""
    blobs = [path for path in mirrors.rglob("*") if path.is_file() and _is_index(path)]
    return max(blobs, key=lambda path: path.stat().st_size)


def _is_index(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(12) == b'{"database":'


if __name__ == "__main__":
    main()
