"""A Discovery service and an LMS that gives tokens, on the loopback interface; they misbehave as told."""

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

#: The client that the LMS knows.
KEY, SECRET, TOKEN = "catalog-key", "catalog-secret", "the-token"


class Discovery:
    """What there is, a page of how many items, and what is done instead of answering a path's page."""

    def __init__(self) -> None:
        self.items: dict[str, list[Any]] = {"programs": [], "pathways": []}
        self.page_size = 2
        self.address = ""
        #: By kind and number of the page: called with the handler, which has answered nothing yet.
        self.instead: dict[tuple[str, int], Callable[[BaseHTTPRequestHandler], None]] = {}
        self.asked: list[str] = []
        self.tokens = 0
        self.token: dict[str, Any] = {"access_token": TOKEN, "expires_in": 3600}

    def page(self, kind: str, number: int) -> dict[str, Any]:
        """Return a page as Discovery does."""
        first = (number - 1) * self.page_size
        results = self.items[kind][first : first + self.page_size]
        has_next = first + self.page_size < len(self.items[kind])
        # Behind a proxy that ends TLS, Discovery gives addresses of another scheme and host.
        following = f"http://internal.invalid/api/v1/{kind}/?page={number + 1}" if has_next else None
        return {"count": len(self.items[kind]), "next": following, "previous": None, "results": results}


def answer(handler: BaseHTTPRequestHandler, data: Any, status: int = 200) -> None:
    """Answer with JSON."""
    body = json.dumps(data).encode()
    handler.send_response(status)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def fails(handler: BaseHTTPRequestHandler) -> None:
    """Answer 503."""
    answer(handler, {"detail": "down"}, 503)


def cuts(handler: BaseHTTPRequestHandler) -> None:
    """Break the connection in the middle of an answer."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"count": 5, "resul')
    handler.wfile.flush()
    handler.close_connection = True


def babbles(handler: BaseHTTPRequestHandler) -> None:
    """Answer with what is no JSON."""
    handler.send_response(200)
    handler.end_headers()
    handler.wfile.write(b"<html>")


def nests(handler: BaseHTTPRequestHandler) -> None:
    """Answer with JSON that is deeper than anybody reads."""
    handler.send_response(200)
    handler.end_headers()
    handler.wfile.write(b"[" * 200_000)


def hangs(handler: BaseHTTPRequestHandler) -> None:
    """Say nothing for longer than anybody waits."""
    time.sleep(3)


def says(data: Any, status: int = 200) -> Callable[[BaseHTTPRequestHandler], None]:
    """Return what answers with this, whatever was asked."""
    return lambda handler: answer(handler, data, status)


@contextlib.contextmanager
def serve() -> Iterator[Discovery]:
    """Serve as long as the block lasts."""
    discovery = Discovery()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            known = [form["client_id"], form["client_secret"], form["grant_type"]] == [
                [KEY], [SECRET], ["client_credentials"],
            ]  # fmt: skip
            discovery.tokens += 1
            if known and self.path == "/oauth2/access_token":
                answer(self, discovery.token)
            else:
                answer(self, {"error": "invalid_client"}, 401)

        def do_GET(self) -> None:
            discovery.asked.append(self.path)
            url = urlsplit(self.path)
            kind, number = url.path.split("/")[-2], int(parse_qs(url.query)["page"][0])
            if (kind, number) in discovery.instead:
                discovery.instead[kind, number](self)
            elif self.headers.get("Authorization") != f"JWT {TOKEN}":
                answer(self, {"detail": "no token"}, 401)
            elif not url.path.startswith("/api/v1/"):
                answer(self, {"detail": "not found"}, 404)
            else:
                answer(self, discovery.page(kind, number))

        def log_message(self, *args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    discovery.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield discovery
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
