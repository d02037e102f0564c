"""Every way in which a mail does not leave, brought about for real, and what makes it leave again."""

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
    """A policy that lets no email leave."""

    def check(self, message: Any) -> PolicyResult:
        return PolicyResult(deny={ChannelType.EMAIL})


class BusyChannel(Channel):
    """An email channel that asks to be tried again after ``delay``."""

    channel_type = ChannelType.EMAIL

    def __init__(self, delay: timedelta) -> None:
        self.delay = delay
        self.attempts = 0

    def deliver(self, message: Any, rendered_message: Any) -> None:
        self.attempts += 1
        raise RecoverableChannelDeliveryError("busy", timezone.now() + self.delay)


class TalkativeChannel(Channel):
    """An email channel whose errors tell all about the learner."""

    channel_type = ChannelType.EMAIL

    def deliver(self, message: Any, rendered_message: Any) -> None:
        raise ValueError(f"no mail for {message.context} {message.options}")


class PushOnlyChannel(Channel):
    """A channel that takes everything, but is no email channel."""

    channel_type = ChannelType.PUSH

    def deliver(self, message: Any, rendered_message: Any) -> None:
        """Take it."""


class LoaderWithoutMails(Loader):
    """A template loader that finds all templates but those of mails."""

    def get_template_sources(self, template_name: str) -> Iterator[Any]:
        return iter(()) if "/edx_ace/" in template_name else super().get_template_sources(template_name)


APPS = "django.template.loaders.app_directories.Loader"
PUSH = "credit_pathways/edx_ace/creditrequest/push"
LOCMEM = ("django.template.loaders.locmem.Loader", {f"{PUSH}/title.txt": "Credit", f"{PUSH}/body.txt": "Requested"})


class Failure:
    """One way to fail: entering it breaks delivery, leaving it mends it."""

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
    def _answering(self, command: str, answer: str) -> Iterator[None]:
        self.relay.answers[command] = answer
        yield
        del self.relay.answers[command]

    @contextlib.contextmanager
    def _server(self, greeting: bytes, *, hangs: bool = False) -> Iterator[None]:
        with smtp.misbehaving(greeting, hangs=hangs) as port, self._settings(EMAIL_PORT=port, EMAIL_TIMEOUT=0.3):
            yield

    @contextlib.contextmanager
    def _plugins(self, mended: dict[str, Any], **broken: Any) -> Iterator[None]:
        self.ace_plugins(**broken)
        yield
        self.ace_plugins(**mended)

    def refused(self) -> contextlib.AbstractContextManager[None]:
        return self._settings(EMAIL_PORT=smtp.free_port())

    def unknown_host(self) -> contextlib.AbstractContextManager[None]:
        return self._settings(EMAIL_HOST="relay.invalid")

    def greeting_421(self) -> contextlib.AbstractContextManager[None]:
        return self._server(b"421 too busy\r\n")

    def rcpt_550(self) -> contextlib.AbstractContextManager[None]:
        return self._answering("RCPT", "550 no such user")

    def rcpt_451(self) -> contextlib.AbstractContextManager[None]:
        return self._answering("RCPT", "451 greylisted, try later")

    def data_554(self) -> contextlib.AbstractContextManager[None]:
        return self._answering("DATA", "554 not wanted")

    def silence_from_the_start(self) -> contextlib.AbstractContextManager[None]:
        return self._server(b"", hangs=True)

    def silence_after_the_greeting(self) -> contextlib.AbstractContextManager[None]:
        return self._server(b"220 relay.example\r\n", hangs=True)

    def dropped_after_the_greeting(self) -> contextlib.AbstractContextManager[None]:
        return self._server(b"220 relay.example\r\n")

    @contextlib.contextmanager
    def dropped_in_data(self) -> Iterator[None]:
        self.relay.drops = True
        yield
        self.relay.drops = False

    def no_channel(self) -> contextlib.AbstractContextManager[None]:
        return self._channels()

    def push_channel_only(self) -> contextlib.AbstractContextManager[None]:
        return self._channels(["push", PushOnlyChannel()])

    @contextlib.contextmanager
    def push_channel_takes_it(self) -> Iterator[None]:
        """A host has written templates for push messages, and they arrive; the email does not."""
        with self.push_channel_only(), self._loaders(LOCMEM, APPS):
            yield

    def no_default_channel(self) -> contextlib.AbstractContextManager[None]:
        """edx-ace then raises AttributeError."""
        return self._deleted("ACE_CHANNEL_DEFAULT_EMAIL")

    @contextlib.contextmanager
    def _deleted(self, name: str) -> Iterator[None]:
        value = getattr(self.settings, name)
        delattr(self.settings, name)
        yield
        setattr(self.settings, name, value)

    def no_template(self) -> contextlib.AbstractContextManager[None]:
        return self._loaders("tests.support.failures.LoaderWithoutMails")

    def _loaders(self, *loaders: Any) -> contextlib.AbstractContextManager[None]:
        [engine] = self.settings.TEMPLATES
        options = {**engine["OPTIONS"], "loaders": loaders}
        return self._settings(TEMPLATES=[{"BACKEND": engine["BACKEND"], "OPTIONS": options}])

    def channel_raises(self) -> contextlib.AbstractContextManager[None]:
        return self._channels(["django_email", TalkativeChannel()])

    def policy_denies(self) -> contextlib.AbstractContextManager[None]:
        return self._plugins({"policies": []}, policies=[DenyEmail()])

    def channel_busy(self) -> contextlib.AbstractContextManager[None]:
        return self._channels(["django_email", BusyChannel(timedelta(seconds=10))])

    def _channels(self, *named: list[Any]) -> contextlib.AbstractContextManager[None]:
        mended = ChannelMap([["django_email", DjangoEmailChannel()]])
        return self._plugins({"channels": mended}, channels=ChannelMap(named))


FAILURES = sorted(name for name in vars(Failure) if not name.startswith("_"))
