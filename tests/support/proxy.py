"""A TCP proxy in front of a service, so that the service can be taken away."""

import contextlib
import socket
import threading
from typing import Any
from urllib.parse import urlsplit, urlunsplit


class Proxy:
    """
    Forward connections to the service of a URL; ``url`` is the way through the proxy.

    ``stall_after``: forward so many bytes to the service in all, then keep every line open and say no more.
    """

    def __init__(self, url: str, stall_after: int | None = None) -> None:
        parts = urlsplit(url)
        self.target, self.stall_after, self.forwarded = (parts.hostname, parts.port), stall_after, 0
        self._sockets: set[socket.socket] = set()
        self._open = threading.Event()
        self._listen(0)
        user = parts.netloc.rpartition("@")[0]
        netloc = f"{user}@127.0.0.1:{self.port}" if user else f"127.0.0.1:{self.port}"
        self.url = urlunsplit(parts._replace(netloc=netloc))

    def __enter__(self) -> "Proxy":
        return self

    def __exit__(self, *error: Any) -> None:
        self.cut()

    def cut(self) -> None:
        """Break all connections and refuse new ones, as a service that is restarted does."""
        self._hang_up(self._server)
        for side in list(self._sockets):
            self._hang_up(side)

    def mend(self) -> None:
        """Listen again."""
        self._listen(self.port)

    def _listen(self, port: int) -> None:
        self._server = socket.create_server(("127.0.0.1", port), backlog=500)
        self.port = self._server.getsockname()[1]
        threading.Thread(target=self._accept, args=[self._server], daemon=True).start()

    def _accept(self, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                client = server.accept()[0]
                service = socket.create_connection(self.target)
                self._sockets |= {client, service}
                threading.Thread(target=self._pump, args=[client, service, True], daemon=True).start()
                threading.Thread(target=self._pump, args=[service, client, False], daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, counts: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if counts:
                    self.forwarded += len(data)
                if self.stall_after is None or self.forwarded <= self.stall_after:
                    sink.sendall(data)
        self._hang_up(source)
        self._hang_up(sink)

    def _hang_up(self, side: socket.socket) -> None:
        self._sockets.discard(side)
        with contextlib.suppress(OSError):
            side.shutdown(socket.SHUT_RDWR)
        side.close()
