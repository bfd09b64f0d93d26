"""Which names packages, tags and stacks can have.

Names become paths, addresses and words of a blank-separated list, so nothing that could mean
something else there is let in.
"""

from __future__ import annotations

import re

_NAME = re.compile(r"\w[\w.+-]{0,199}", re.ASCII)
_HASH = re.compile(r"[a-z2-7]{32}")


def is_name(text: object) -> bool:
    """Whether a package or a stack can be called so."""
    return isinstance(text, str) and _NAME.fullmatch(text) is not None


def is_tag(text: object) -> bool:
    """Whether a tag can be called so: like a package, in one or more parts (``releases/v0.20``)."""
    return isinstance(text, str) and len(text) < 200 and all(map(is_name, text.split("/")))


def is_hash(text: object) -> bool:
    """Whether the text is a spec's DAG hash: 32 characters of Spack's base 32."""
    return isinstance(text, str) and _HASH.fullmatch(text) is not None
