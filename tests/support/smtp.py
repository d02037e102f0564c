"""Real SMTP servers on the loopback interface: one that works or answers as told, and some that misbehave."""

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
    An aiosmtpd handler that keeps what it takes.

    ``answers`` replaces the answer to RCPT, of one address or of all, or to DATA. ``asked`` counts the RCPTs.
    ``delay`` is how many seconds it takes for a mail.
    """

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.answers: dict[str, str] = {}
        self.on_data: Callable[[], None] = lambda: None
        self.delay = 0.0
        self.drops = False
        self.asked = 0
        self._asked_of: Counter[str] = Counter()
        self._refusals = 0
        self._takes_and_drops = 0

    def refuses_first(self, times: int) -> None:
        """Greylist: answer 451 for so many times to each address."""
        self._refusals = times

    def takes_and_drops(self, times: int) -> None:
        """Keep the mail, but break the connection before saying so, for so many times."""
        self._takes_and_drops = times

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        self.asked += 1
        self._asked_of[address] += 1
        if self._asked_of[address] <= self._refusals:
            return "451 greylisted, try later"
        envelope.rcpt_tos.append(address)
        return self.answers.get(address) or self.answers.get("RCPT", "250 OK")

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if self.drops:
            server.transport.close()
        elif "DATA" not in self.answers:
            await asyncio.sleep(self.delay)
            await asyncio.to_thread(self.on_data)
            self.mails.append(email.message_from_bytes(envelope.content, policy=policy.default))
            if len(self.mails) <= self._takes_and_drops:
                server.transport.close()
        return self.answers.get("DATA", "250 OK")


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def relay() -> Iterator[tuple[Relay, int]]:
    """Run a relay; give its handler and its port."""
    handler = Relay()
    controller = Controller(handler, hostname="127.0.0.1", port=free_port())
    controller.start()
    try:
        yield handler, controller.port
    finally:
        controller.stop()


@contextlib.contextmanager
def misbehaving(greeting: bytes, *, hangs: bool = False) -> Iterator[int]:
    """Run a server that says ``greeting``, then hangs up, or keeps the line open and says no more; give its port."""
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
