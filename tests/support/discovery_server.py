"""A Discovery service, and an LMS that issues its tokens, on the loopback interface. Tests can make them fail."""

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

#: The OAuth client that the LMS accepts, and the token it issues.
KEY, SECRET, TOKEN = "catalog-key", "catalog-secret", "the-token"


class Discovery:
    """What the service contains, how it responds, and what was requested."""

    def __init__(self) -> None:
        self.items: dict[str, list[Any]] = {"programs": [], "pathways": []}
        self.page_size = 2
        self.address = ""
        #: By kind and page number: called with the handler instead of responding with the page.
        self.failures: dict[tuple[str, int], Callable[[BaseHTTPRequestHandler], None]] = {}
        self.requested_urls: list[str] = []
        self.issued_tokens = 0
        self.token: dict[str, Any] = {"access_token": TOKEN, "expires_in": 3600}

    def page(self, kind: str, number: int) -> dict[str, Any]:
        first = (number - 1) * self.page_size
        results = self.items[kind][first : first + self.page_size]
        has_next = first + self.page_size < len(self.items[kind])
        # Behind a proxy that terminates TLS, Discovery's addresses have another scheme and host.
        next_url = f"http://internal.invalid/api/v1/{kind}/?page={number + 1}" if has_next else None
        return {"count": len(self.items[kind]), "next": next_url, "previous": None, "results": results}


def respond(handler: BaseHTTPRequestHandler, data: Any, status: int = 200) -> None:
    body = json.dumps(data).encode()
    handler.send_response(status)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def respond_503(handler: BaseHTTPRequestHandler) -> None:
    respond(handler, {"detail": "down"}, 503)


def close_connection(handler: BaseHTTPRequestHandler) -> None:
    """Close the connection in the middle of a response."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"count": 5, "resul')
    handler.wfile.flush()
    handler.close_connection = True


def respond_html(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.end_headers()
    handler.wfile.write(b"<html>")


def respond_nested_json(handler: BaseHTTPRequestHandler) -> None:
    """Respond with JSON that is nested more deeply than Python can parse."""
    handler.send_response(200)
    handler.end_headers()
    handler.wfile.write(b"[" * 200_000)


def hang(handler: BaseHTTPRequestHandler) -> None:
    """Do not respond within the client's timeout."""
    time.sleep(3)


def respond_with(data: Any, status: int = 200) -> Callable[[BaseHTTPRequestHandler], None]:
    return lambda handler: respond(handler, data, status)


@contextlib.contextmanager
def serve() -> Iterator[Discovery]:
    """Run the service for the duration of the block."""
    discovery = Discovery()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            is_valid = [form["client_id"], form["client_secret"], form["grant_type"]] == [
                [KEY], [SECRET], ["client_credentials"],
            ]  # fmt: skip
            discovery.issued_tokens += 1
            if is_valid and self.path == "/oauth2/access_token":
                respond(self, discovery.token)
            else:
                respond(self, {"error": "invalid_client"}, 401)

        def do_GET(self) -> None:
            discovery.requested_urls.append(self.path)
            url = urlsplit(self.path)
            kind, number = url.path.split("/")[-2], int(parse_qs(url.query)["page"][0])
            if (kind, number) in discovery.failures:
                discovery.failures[kind, number](self)
            elif self.headers.get("Authorization") != f"JWT {TOKEN}":
                respond(self, {"detail": "no token"}, 401)
            elif not url.path.startswith("/api/v1/"):
                respond(self, {"detail": "not found"}, 404)
            else:
                respond(self, discovery.page(kind, number))

        def log_message(self, *args: Any) -> None:
            """Do not log."""

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
