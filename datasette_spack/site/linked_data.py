"""What a package's page says to search engines, as JSON-LD in the words of schema.org.

A block of data is not run, so that the page's policy need not allow scripts for it.
"""

from __future__ import annotations

import json
from typing import Any

from markupsafe import Markup

from etl.browse.package import PackageFacts


def linked_data(facts: PackageFacts, address: str) -> Markup:
    """A package as ``SoftwareApplication``, to be put into a ``<script>``."""
    row = facts.package
    systems = facts.all_choices.get("os", [])
    said: dict[str, Any] = {
        "@context": "https://schema.org",
        "@type": "SoftwareApplication",
        "name": row["package"],
        "url": address,
        "applicationCategory": "DeveloperApplication",
        "description": row["description"],
        "softwareVersion": row["newest_version"],
        "license": row["licenses"],
        "sameAs": row["homepage"] if str(row["homepage"]).startswith("http") else None,
        "operatingSystem": ", ".join(systems) or None,
    }
    text = json.dumps({name: value for name, value in said.items() if value}, ensure_ascii=True)
    for letter in "<>&":  # nothing in it can end the block
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return Markup(text)  # noqa: S704  # no markup is left in it
