"""Mutants that may survive, each with the reason: they mean the same, or cannot be observed."""

from __future__ import annotations

from tests.mutation.changes import Mutant

_SAME_FORMS = "narrow and wide conditions mean the same, which a test shows; one is faster"
_DATA = "a table copied from elsewhere; a test would be the same table again"
_ONLY_FASTER = "the result is the same, only later"
_MEASURED = "a number that was measured; one more does as well, and gives the same result"

REASONS: dict[tuple[str, str], str] = {
    ("etl/spack/tags.py", '"'): _DATA,
    ("etl/spack/tags.py", "return max((pair for pair in _DATES if pair[0] < key)"): (
        "a release that is in the table has a day, and needs no place among the others"
    ),
    ("etl/spack/tags.py", 'sorted({it.rpartition(".")[0] for it'): "no text is between the two",
    ("etl/spack/tokens.py", 'elif character in "+~-":'): "a letter always begins a word",
    ("etl/spack/tags.py", 'return f"{calendar[1]}-{int(calendar[2])'): "99 is after every day",
    ("etl/spack/tags.py", 'return f"{RELEASE_MONTHS[release]}-99"'): "99 is after every day",
    ("etl/spack/tokens.py", "if match is None or kind is None:"): "what matches has a kind",
    ("etl/spack/versions.py", 'digits = digits.lstrip("0")'): "there are only digits to strip",
    ("etl/query/graph_conditions.py", "if narrow:"): _SAME_FORMS,
    ("etl/query/graph_conditions.py", "only = block("): _SAME_FORMS,
    ("etl/query/conditions.py", 'low, high = self._add("hash", prefix)'): (
        "a parameter, and { sorts after all that a hash is made of, whatever follows it"
    ),
    ("etl/query/search.py", "nowhere = (0, 0)"): "no error is told of what is not in the text",
    ("etl/query/starting_point.py", 'return self.entry == "NOT INDEXED"'): _ONLY_FASTER,
    ("etl/query/starting_point.py", "return min(max(int(edges) // 50"): _MEASURED,
    ("etl/query/starting_point.py", 'yield _Way("specs", index, position'): _SAME_FORMS,
    ("etl/query/near_misses.py", "if len(parts) > 1 and root.name"): (
        "without its only part a query is what was tried already; a test asks of no package"
    ),
    ("etl/query/starting_point.py", "written = [conditions[position].write"): _SAME_FORMS,
    ("etl/query/find.py", "if self.count(queries, replace(scope, tag=tag), 1):"): _ONLY_FASTER,
    ("etl/writer/build.py", '"PRAGMA locking_mode = EXCLUSIVE",'): _ONLY_FASTER,
    ("etl/writer/assemble.py", "_ROWS_AT_ONCE = "): "the rows are the same, written at any time",
    ("etl/writer/numbering.py", "self.ids = [0] * len(given)"): "each place is filled",
    ("etl/writer/swap.py", 'return "".join(f"[{letter}]"'): "[x] matches what x matches",
    ("etl/sources/build_caches/mirror.py", "place = whole.removeprefix("): (
        "no place in a build cache begins so"
    ),
    ("etl/sources/build_caches/mirror.py", "head = zlib.decompressobj(wbits=31)"): (
        "32 reads gzip as well as zlib, and only what begins as gzip comes there"
    ),
    ("etl/sources/download/client.py", "for block in response.iter_raw(1 << 16):"): (
        "blocks of any size come to the same"
    ),
    ("etl/sources/download/cache.py", 'return self._folder / "sizes"'): (
        "a name in the download cache, which only this module writes and reads"
    ),
    ("etl/sources/download/client.py", "SLOWEST = "): "the limit itself: tests set their own",
    ("etl/sources/page.py", "is_number = isinstance"): (
        "no count has twenty digits, as a number or as a text"
    ),
    ("etl/sources/build_caches/database.py", "self._aliases() if spec_format < 4 else {},"): (
        "format 4 has no other hashes, so that there are no aliases"
    ),
}
"""The file and how the line begins, and why no test can or need notice a change of it."""


def reason_for(mutant: Mutant) -> str | None:
    """Why a mutant may survive; None if it may not."""
    return next(
        (
            reason
            for (path, beginning), reason in REASONS.items()
            if path == mutant.path and mutant.text.startswith(beginning)
        ),
        None,
    )
