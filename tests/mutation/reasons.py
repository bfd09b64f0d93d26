"""Mutants that may survive, each with the reason: they mean the same, or cannot be observed."""

from __future__ import annotations

REASONS: dict[tuple[str, str, str], str] = {}
"""The file, the line as it stands and the change, and why no test can or need notice it."""
