"""The data files that are installed with this package."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any


def packaged_json(name: str) -> dict[str, Any]:
    """``metadata.json`` or ``settings.json`` as it was installed with this package."""
    content = json.loads((files("datasette_spack") / name).read_text(encoding="utf-8"))
    assert isinstance(content, dict)
    return content
