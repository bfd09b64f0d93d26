"""Pictures for the pages: pure functions from numbers to SVG, which nobody but a template shows.

A chart is markup for the inside of a ``<figure>``.  It has a title and a description in words for
those who do not see it, and only classes: how it looks is in ``static/charts.css``.  Without data
there is no chart, but an empty text that a template can test.
"""

from __future__ import annotations

from datasette_spack.charts.badge import badge
from datasette_spack.charts.matrix import Label, matrix
from datasette_spack.charts.shares import Part, shares
from datasette_spack.charts.sparkline import sparkline
from datasette_spack.charts.timeline import Point, timeline

__all__ = ["Label", "Part", "Point", "badge", "matrix", "shares", "sparkline", "timeline"]
