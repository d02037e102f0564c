"""The flood guard's Redis goes down, and comes back."""

import uuid

import pytest

from credit_pathways.models import UserCreditPathway
from tests.services.conftest import redis_url
from tests.support.proxy import Proxy


@pytest.fixture
def redis(settings):
    """A proxy in front of Redis, which is the cache."""
    settings.CREDIT_PATHWAYS_REQUEST_RATE = "1/minute"
    with Proxy(redis_url()) as proxy:
        settings.CACHES = {
            "default": {
                "BACKEND": "django.core.cache.backends.redis.RedisCache",
                "LOCATION": proxy.url,
                "KEY_PREFIX": str(uuid.uuid4()),
                "OPTIONS": {"socket_timeout": 0.3},
            }
        }
        yield proxy


@pytest.mark.parametrize("fault", ["restart", "stall"])
def test_learners_get_through_until_redis_is_back(fault, redis, client, program, pathway, relay, caplog):
    def send():
        body = {"username": "halima", "pathway_id": pathway.pk}
        return client.post(f"/records/programs/{program.uuid}/send", body, content_type="application/json").status_code

    assert (send(), send()) == (200, 429)
    if fault == "restart":
        redis.cut()
    else:
        redis.stall_after = redis.forwarded
    assert (send(), send()) == (200, 200)
    warnings = [record for record in caplog.records if record.name == "credit_pathways.throttling"]
    assert len(warnings) == 2
    if fault == "restart":
        redis.restore()
    redis.stall_after = None
    assert send() == 429
    assert UserCreditPathway.objects.count() == len(relay.messages) == 3
