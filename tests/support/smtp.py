"""SMTP servers on the loopback interface: a working one with configurable replies, and misbehaving ones."""

import asyncio
import contextlib
import email
import socket
import socketserver
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from email import policy
from email.message import EmailMessage

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session


class Relay:
    """
    An aiosmtpd handler that keeps the emails it accepts in ``messages``.

    ``replies`` replaces the reply to DATA, to RCPT, or to RCPT of one address. ``rcpt_count`` counts RCPT commands.
    ``on_data`` is called before an email is accepted, which takes ``delay`` seconds. ``disconnects`` closes the
    connection during DATA instead.
    """

    def __init__(self) -> None:
        self.messages: list[EmailMessage] = []
        self.replies: dict[str, str] = {}
        self.on_data: Callable[[], None] = lambda: None
        self.delay = 0.0
        self.disconnects = False
        self.rcpt_count = 0
        self._rcpt_counts: Counter[str] = Counter()
        self._greylisted_times = 0
        self._unconfirmed = 0

    def greylist(self, times: int) -> None:
        """Reply 451 to the first ``times`` RCPT commands of each address."""
        self._greylisted_times = times

    def accept_and_disconnect(self, times: int) -> None:
        """Keep the first ``times`` emails, but close the connection before confirming them."""
        self._unconfirmed = times

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        self.rcpt_count += 1
        self._rcpt_counts[address] += 1
        if self._rcpt_counts[address] <= self._greylisted_times:
            return "451 greylisted, try later"
        envelope.rcpt_tos.append(address)
        return self.replies.get(address) or self.replies.get("RCPT", "250 OK")

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if self.disconnects:
            server.transport.close()
        elif "DATA" not in self.replies:
            await asyncio.sleep(self.delay)
            await asyncio.to_thread(self.on_data)
            self.messages.append(email.message_from_bytes(envelope.content, policy=policy.default))
            if len(self.messages) <= self._unconfirmed:
                server.transport.close()
        return self.replies.get("DATA", "250 OK")


def free_port() -> int:
    """Return a port on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def relay() -> Iterator[tuple[Relay, int]]:
    """Run a working server, and yield its handler and its port."""
    handler = Relay()
    controller = Controller(handler, hostname="127.0.0.1", port=free_port())
    controller.start()
    try:
        yield handler, controller.port
    finally:
        controller.stop()


@contextlib.contextmanager
def misbehaving_server(greeting: bytes, *, hangs: bool = False) -> Iterator[int]:
    """Run a server that sends ``greeting`` and then disconnects, or ``hangs``. Yield its port."""
    done = threading.Event()

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.sendall(greeting)
            if hangs:
                done.wait()

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=[0.02], daemon=True).start()
        try:
            yield server.server_address[1]
        finally:
            done.set()
            server.shutdown()
