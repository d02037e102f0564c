"""Reading a catalog file."""

import json
from pathlib import Path
from typing import Any

KINDS = ("programs", "pathways")


class CatalogFileError(Exception):
    """The file does not hold a whole catalog."""


def items(file: Path) -> dict[str, list[Any]]:
    """Return the items of a catalog file, by kind."""
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
        return {kind: _results(data[kind]) for kind in KINDS}
    except OSError as error:
        raise CatalogFileError(f"{file} cannot be read: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        raise CatalogFileError(f"{file} is not a whole catalog in JSON: {error}.") from error
    except (KeyError, TypeError) as error:
        raise CatalogFileError(f'{file} needs "programs" and "pathways", each a page or a list of items.') from error


def _results(page: Any) -> list[Any]:
    """Return the items of a plain list, or of a page of Discovery's API that is the only one."""
    if isinstance(page, dict) and page.get("next"):
        raise ValueError("there are more pages, and what they hold would be retired")
    results = page["results"] if isinstance(page, dict) else page
    if not isinstance(results, list):
        raise TypeError("not a list")
    return results
