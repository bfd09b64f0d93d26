"""Templates of our own pages, which wait for nothing while they are rendered.

Datasette compiles templates so that anything in them may be waited for, each call and each step of
a loop.  Of a page with hundreds of links that is a third of the time it takes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from jinja2 import BytecodeCache, Environment, Template
from jinja2.bccache import Bucket

from datasette_spack.either import template_environment

_OF_DICTS: Final = frozenset(dir(dict))

_ENVIRONMENT: Final = "spack_catalog_environment"


class _Compiled(BytecodeCache):
    """Templates that were compiled; each edition of the catalog has an environment of its own."""

    def __init__(self) -> None:
        self._kept: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if compiled := self._kept.get(bucket.key):
            bucket.bytecode_from_string(compiled)  # which looks whether the template is the same

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._kept[bucket.key] = bucket.bytecode_to_string()


# What is compiled to be waited for is other code than what is not.
_AWAITED, _NOT_AWAITED = _Compiled(), _Compiled()


def keep_compiled(environment: Environment) -> None:
    """Have templates of Datasette compiled once in this process, which takes 0.4 s."""
    environment.bytecode_cache = _AWAITED


class _AtOnce(Template):
    """A template that is rendered at once when Datasette would wait for it."""

    async def render_async(self, *arguments: Any, **options: Any) -> str:
        return self.render(*arguments, **options)


def _of_rows(otherwise: Callable[[Any, str], Any]) -> Callable[[Any, str], Any]:
    """What ``it.name`` is in a template: of a row of the catalog what it has under that name.

    Jinja looks for an attribute of the row first, and only when that fails for what it has.
    """

    def found(it: Any, name: str) -> Any:
        if type(it) is dict and name in it and name not in _OF_DICTS:
            return it[name]
        return otherwise(it, name)

    return found


def page_template(datasette: Any, name: str) -> Template:
    """A template of a Datasette, compiled for pages in which nothing has to be waited for."""
    environment: Environment | None = getattr(datasette, _ENVIRONMENT, None)
    if environment is None:
        environment = template_environment(datasette).overlay(enable_async=False)
        environment.template_class = _AtOnce
        environment.bytecode_cache = _NOT_AWAITED
        environment.getattr = _of_rows(environment.getattr)  # type: ignore[method-assign]
        setattr(datasette, _ENVIRONMENT, environment)
    return environment.get_template(name)
