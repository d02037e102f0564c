"""A TCP proxy in front of a service, to simulate its outages."""

import contextlib
import socket
import threading
from typing import Any
from urllib.parse import urlsplit, urlunsplit


class Proxy:
    """
    Forward connections to the service at a URL. ``url`` is the same URL through the proxy.

    After ``stall_after`` bytes to the service, in all connections together, it forwards nothing more, but keeps the
    connections open.
    """

    def __init__(self, url: str, stall_after: int | None = None) -> None:
        parts = urlsplit(url)
        self.target, self.stall_after, self.forwarded = (parts.hostname, parts.port), stall_after, 0
        self._sockets: set[socket.socket] = set()
        self._listen(0)
        user = parts.netloc.rpartition("@")[0]
        netloc = f"{user}@127.0.0.1:{self.port}" if user else f"127.0.0.1:{self.port}"
        self.url = urlunsplit(parts._replace(netloc=netloc))

    def __enter__(self) -> "Proxy":
        return self

    def __exit__(self, *error: Any) -> None:
        self.cut()

    def cut(self) -> None:
        """Close all connections and refuse new ones, like a service during a restart."""
        self._close(self._server)
        for sock in list(self._sockets):
            self._close(sock)

    def restore(self) -> None:
        """Accept connections again."""
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

    def _pump(self, source: socket.socket, sink: socket.socket, is_counted: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if is_counted:
                    self.forwarded += len(data)
                if self.stall_after is None or self.forwarded <= self.stall_after:
                    sink.sendall(data)
        self._close(source)
        self._close(sink)

    def _close(self, sock: socket.socket) -> None:
        self._sockets.discard(sock)
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)
        sock.close()
