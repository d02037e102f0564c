"""
Synchronization of a site's programs and pathways with the catalog they come from.

To add a source of catalogs, add a module to this package with:

``OPTION``
    The option of ``manage.py sync_catalog`` for this source: a flag, and keyword arguments for ``add_argument``.

``read_catalog(value, site) -> Catalog``
    Return the catalog of ``site``; ``value`` is the option's. Raise ``CatalogError``, at once or during iteration,
    unless the catalog is complete, because whatever is missing from it will be retired.
"""

import pkgutil
from collections.abc import Iterable
from importlib import import_module
from types import ModuleType
from typing import Any, NamedTuple


class CatalogError(Exception):
    """The catalog could not be read completely."""


class Catalog(NamedTuple):
    """Items in the shape of Discovery's ``/api/v1/programs/`` and ``/api/v1/pathways/``."""

    programs: Iterable[Any]
    pathways: Iterable[Any]


def sources() -> list[ModuleType]:
    """Return the modules of this package that are sources."""
    modules = [import_module(f"{__name__}.{module.name}") for module in pkgutil.iter_modules(__path__)]
    return [module for module in modules if hasattr(module, "OPTION")]
