"""A cache whose server is down."""

from typing import Any, NoReturn

from django.core.cache.backends.base import BaseCache


class UnavailableCache(BaseCache):
    """Every operation raises. The others of a cache call these."""

    def __init__(self, location: str, params: dict[str, Any]) -> None:
        super().__init__(params)

    def _raise(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise ConnectionError("the cache is unavailable")

    add = get = set = touch = delete = clear = has_key = get_many = set_many = delete_many = incr = _raise
