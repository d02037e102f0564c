"""Every way in which an email can fail to be sent, each brought about for real and then repaired."""

import contextlib
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

from django.template.loaders.app_directories import Loader
from django.utils import timezone
from edx_ace.channel import Channel, ChannelMap, ChannelType
from edx_ace.channel.django_email import DjangoEmailChannel
from edx_ace.errors import RecoverableChannelDeliveryError
from edx_ace.policy import Policy, PolicyResult

from tests.support import smtp


class DenyEmail(Policy):
    """A policy that denies every email."""

    def check(self, message: Any) -> PolicyResult:
        return PolicyResult(deny={ChannelType.EMAIL})


class BusyChannel(Channel):
    """An email channel that asks edx-ace to try again after ``delay``."""

    channel_type = ChannelType.EMAIL

    def __init__(self, delay: timedelta) -> None:
        self.delay = delay
        self.attempts = 0

    def deliver(self, message: Any, rendered_message: Any) -> None:
        self.attempts += 1
        raise RecoverableChannelDeliveryError("busy", timezone.now() + self.delay)


class TalkativeChannel(Channel):
    """An email channel whose errors contain all of the learner's data."""

    channel_type = ChannelType.EMAIL

    def deliver(self, message: Any, rendered_message: Any) -> None:
        raise ValueError(f"not sent: {message.context} {message.options}")


class PushOnlyChannel(Channel):
    """A channel that accepts every message, but does not send email."""

    channel_type = ChannelType.PUSH

    def deliver(self, message: Any, rendered_message: Any) -> None:
        """Accept the message."""


class LoaderWithoutEmails(Loader):
    """A template loader that finds every template except those of emails."""

    def get_template_sources(self, template_name: str) -> Iterator[Any]:
        return iter(()) if "/edx_ace/" in template_name else super().get_template_sources(template_name)


APP_TEMPLATES = "django.template.loaders.app_directories.Loader"
PUSH = "credit_pathways/edx_ace/creditrequest/push"
PUSH_TEMPLATES = (
    "django.template.loaders.locmem.Loader",
    {f"{PUSH}/title.txt": "Credit", f"{PUSH}/body.txt": "Requested"},
)


class Failure:
    """
    Ways of failing.

    Each public method returns a context manager: delivery fails inside its block, and works again after it.
    """

    def __init__(self, settings: Any, relay: smtp.Relay, ace_plugins: Callable[..., None]) -> None:
        self.settings, self.relay, self.ace_plugins = settings, relay, ace_plugins

    @contextlib.contextmanager
    def _settings(self, **values: Any) -> Iterator[None]:
        before = {name: getattr(self.settings, name) for name in values}
        for name, value in values.items():
            setattr(self.settings, name, value)
        yield
        for name, value in before.items():
            setattr(self.settings, name, value)

    @contextlib.contextmanager
    def _reply(self, command: str, reply: str) -> Iterator[None]:
        self.relay.replies[command] = reply
        yield
        del self.relay.replies[command]

    @contextlib.contextmanager
    def _server(self, greeting: bytes, *, hangs: bool = False) -> Iterator[None]:
        with (
            smtp.misbehaving_server(greeting, hangs=hangs) as port,
            self._settings(EMAIL_PORT=port, EMAIL_TIMEOUT=0.1),
        ):
            yield

    @contextlib.contextmanager
    def _plugins(self, working: dict[str, Any], **broken: Any) -> Iterator[None]:
        self.ace_plugins(**broken)
        yield
        self.ace_plugins(**working)

    @contextlib.contextmanager
    def _without_setting(self, name: str) -> Iterator[None]:
        value = getattr(self.settings, name)
        delattr(self.settings, name)
        yield
        setattr(self.settings, name, value)

    def _template_loaders(self, *loaders: Any) -> contextlib.AbstractContextManager[None]:
        [engine] = self.settings.TEMPLATES
        options = {**engine["OPTIONS"], "loaders": loaders}
        return self._settings(TEMPLATES=[{"BACKEND": engine["BACKEND"], "OPTIONS": options}])

    def _channels(self, *channels: list[Any]) -> contextlib.AbstractContextManager[None]:
        working = ChannelMap([["django_email", DjangoEmailChannel()]])
        return self._plugins({"channels": working}, channels=ChannelMap(channels))

    def connection_refused(self) -> contextlib.AbstractContextManager[None]:
        return self._settings(EMAIL_PORT=smtp.free_port())

    def unknown_host(self) -> contextlib.AbstractContextManager[None]:
        return self._settings(EMAIL_HOST="relay.invalid")

    def greeting_421(self) -> contextlib.AbstractContextManager[None]:
        return self._server(b"421 too busy\r\n")

    def rcpt_550(self) -> contextlib.AbstractContextManager[None]:
        return self._reply("RCPT", "550 no such user")

    def rcpt_451(self) -> contextlib.AbstractContextManager[None]:
        return self._reply("RCPT", "451 greylisted, try later")

    def data_554(self) -> contextlib.AbstractContextManager[None]:
        return self._reply("DATA", "554 not wanted")

    def timeout_before_greeting(self) -> contextlib.AbstractContextManager[None]:
        return self._server(b"", hangs=True)

    def timeout_after_greeting(self) -> contextlib.AbstractContextManager[None]:
        return self._server(b"220 relay.example\r\n", hangs=True)

    def disconnect_after_greeting(self) -> contextlib.AbstractContextManager[None]:
        return self._server(b"220 relay.example\r\n")

    @contextlib.contextmanager
    def disconnect_in_data(self) -> Iterator[None]:
        self.relay.disconnects = True
        yield
        self.relay.disconnects = False

    def no_channel(self) -> contextlib.AbstractContextManager[None]:
        return self._channels()

    def push_channel_only(self) -> contextlib.AbstractContextManager[None]:
        return self._channels(["push", PushOnlyChannel()])

    @contextlib.contextmanager
    def push_message_instead(self) -> Iterator[None]:
        """The host has templates for push messages, so one is sent, but no email."""
        with self.push_channel_only(), self._template_loaders(PUSH_TEMPLATES, APP_TEMPLATES):
            yield

    def no_default_channel(self) -> contextlib.AbstractContextManager[None]:
        """edx-ace raises AttributeError."""
        return self._without_setting("ACE_CHANNEL_DEFAULT_EMAIL")

    def no_template(self) -> contextlib.AbstractContextManager[None]:
        return self._template_loaders("tests.support.failures.LoaderWithoutEmails")

    def channel_error(self) -> contextlib.AbstractContextManager[None]:
        return self._channels(["django_email", TalkativeChannel()])

    def policy_denies(self) -> contextlib.AbstractContextManager[None]:
        return self._plugins({"policies": []}, policies=[DenyEmail()])

    def channel_busy(self) -> contextlib.AbstractContextManager[None]:
        return self._channels(["django_email", BusyChannel(timedelta(seconds=10))])


FAILURES = sorted(name for name in vars(Failure) if not name.startswith("_"))
