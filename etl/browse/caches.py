"""The named caches of a catalog, and which of them a tag is of."""

from __future__ import annotations

import sqlite3

from etl.catalog.asking import Row, ask, ask_one

_CACHES = """
    SELECT caches.name AS cache, caches.address, caches.kind, caches.signed, caches.tags,
        caches.binaries, (
            SELECT name FROM tags WHERE tags.cache_id = caches.id AND tags.binaries > 0
            ORDER BY date IS NULL, position DESC LIMIT 1
        ) AS newest_tag
    FROM caches ORDER BY caches.name
"""
_OF_PACKAGE = """
    SELECT caches.name AS cache, counted.tags, counted.binaries, newest.name AS newest_tag
    FROM (
        SELECT tags.cache_id, count(*) AS tags, sum(package_tags.binaries) AS binaries,
            ifnull(max(tags.id) FILTER (WHERE tags.date IS NOT NULL), max(tags.id)) AS newest_id
        FROM package_tags
        CROSS JOIN tags ON tags.id = package_tags.tag_id
        WHERE package_tags.package_id = (SELECT id FROM packages WHERE name = :package_1)
            AND package_tags.binaries > 0 AND tags.cache_id IS NOT NULL
        GROUP BY tags.cache_id
    ) AS counted
    CROSS JOIN caches ON caches.id = counted.cache_id
    CROSS JOIN tags AS newest ON newest.id = counted.newest_id
    ORDER BY caches.name
"""
_OF_TAG = """
    SELECT caches.name AS cache, caches.address, caches.kind, caches.signed
    FROM tags JOIN caches ON caches.id = tags.cache_id WHERE tags.name = :tag_1
"""


def cache_list(db: sqlite3.Connection) -> tuple[Row, ...]:
    """The named caches by name: address, kind, whether signed, how much, and the newest tag.

    As everywhere, tags with a date come before those without.
    """
    return ask(db, _CACHES)


def caches_of_package(db: sqlite3.Connection, package: str) -> tuple[Row, ...]:
    """The named caches that have binaries of a package, with the newest tag that has any."""
    return ask(db, _OF_PACKAGE, package_1=package)


def cache_of_tag(db: sqlite3.Connection, tag: str) -> Row | None:
    """The named cache that a tag is of; None if it is of none."""
    return ask_one(db, _OF_TAG, tag_1=tag)
