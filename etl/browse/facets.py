"""What found binaries differ in: for each value, how many of them have it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache

from etl.catalog.asking import Row
from etl.catalog.variant_text import split_variants

FACETS = ("version", "compiler", "os", "target", "stacks")


def values_of(row: Row, facet: str) -> list[str]:
    """What a binary has of a facet; of stacks and variants there are several."""
    value = row[facet]
    if facet == "stacks":
        return list(value.split())
    if facet == "variants":
        return list(split_variants(value))
    return [value]


def count_values(rows: Iterable[Row], facet: str) -> list[tuple[str, int]]:
    """The values of a facet and how many rows have each, the most first."""
    counts = Counter(value for row in rows for value in values_of(row, facet))
    return sorted(counts.items(), key=lambda it: (-it[1], it[0]))


def count_variants(rows: Sequence[Row]) -> dict[str, list[tuple[str, int]]]:
    """For each variant by name: its forms (``+mpi``, ``~mpi``) and how many rows have each."""
    counts: Counter[str] = Counter()
    lists = Counter(row["variants"] for row in rows)
    for text, number in lists.items():
        for variant in set(split_variants(text)):
            counts[variant] += number
    named: dict[str, list[tuple[str, int]]] = {}
    for variant, number in sorted(counts.items(), key=lambda it: (-it[1], it[0])):
        named.setdefault(variant_name(variant), []).append((variant, number))
    return dict(sorted(named.items()))


@lru_cache(10_000)  # there are a few thousand, and a spec's page asks for many of them again
def variant_name(variant: str) -> str:
    """The name in ``+mpi``, ``~~mpi``, ``cuda_arch:=80``, ``build_system=cmake``."""
    if variant[:1] in "+~-":
        return variant.lstrip("+~-")
    return variant.split("=", 1)[0].rstrip(":")
