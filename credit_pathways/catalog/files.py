"""A catalog in a file."""

import json
from pathlib import Path
from typing import Any

from django.contrib.sites.models import Site

from . import Catalog, CatalogError

OPTION = (
    "--file",
    {
        "type": Path,
        "help": 'JSON: {"programs": ..., "pathways": ...}, each a page of Discovery\'s API or a list of its items.',
    },
)


def read_catalog(file: Path | str, site: Site) -> Catalog:
    """Return the catalog in ``file``, which is the same for every site."""
    try:
        data = json.loads(Path(file).read_text(encoding="utf-8-sig"))
        return Catalog(*(_items(data[name]) for name in Catalog._fields))
    except OSError as error:
        raise CatalogError(f"{file} cannot be read: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        raise CatalogError(f"{file} is not a complete catalog in JSON: {error}.") from error
    except (KeyError, TypeError) as error:
        raise CatalogError(f'{file} needs "programs" and "pathways", each a page or a list of items.') from error


def _items(page: Any) -> list[Any]:
    """Return the items of a list, or of the only page of Discovery's API."""
    if isinstance(page, dict) and page.get("next"):
        raise ValueError("there are more pages, and the items on them would be retired")
    if isinstance(page, dict) and (
        page.get("previous") or page.get("count", len(page["results"])) != len(page["results"])
    ):
        raise ValueError("there are other pages, and the items on them would be retired")
    items = page["results"] if isinstance(page, dict) else page
    if not isinstance(items, list):
        raise TypeError("not a list")
    return items
