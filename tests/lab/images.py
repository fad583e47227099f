"""A web server with one small OVA to import: whole, damaged, cut off, or stopping half way until told."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from gateways.installer.ova.packing import Options, pack
from tests.lab.empty_disk import write_empty_disk


def make_ova(folder: Path, name: str = "node-image") -> bytes:
    disk, ova = folder / "disk.vmdk", folder / f"{name}.ova"
    write_empty_disk(disk, gib=10)
    pack(Options(disk=disk, output=ova, name=name, disk_gib=10))
    return ova.read_bytes()


@dataclass
class ImageServer:
    content: bytes
    status: int = 200
    sends: int | None = None  # so many bytes, then nothing; None = all
    goes_on: threading.Event = field(default_factory=threading.Event)
    stalled: threading.Event = field(default_factory=threading.Event)
    requests: int = 0
    port: int = 0

    def __post_init__(self) -> None:
        self.goes_on.set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/node-image.ova"

    def stall(self) -> None:
        """Send half of it, then wait for `goes_on`."""
        self.goes_on.clear()


@contextmanager
def image_server(content: bytes) -> Iterator[ImageServer]:
    images = ImageServer(content)
    with ThreadingHTTPServer(("127.0.0.1", 0), _handler(images)) as httpd:
        images.port = httpd.server_port
        thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield images
        finally:
            images.goes_on.set()
            httpd.shutdown()
            thread.join()


def _handler(images: ImageServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = 20

        def do_GET(self) -> None:
            images.requests += 1
            self.send_response(images.status)
            self.send_header("Content-Length", str(len(images.content)))
            self.end_headers()
            try:
                self._send(images.content[: images.sends])
            except OSError:  # the client was killed, or has seen enough
                return

        def _send(self, content: bytes) -> None:
            half = len(content) // 2
            self.wfile.write(content[:half])
            self.wfile.flush()
            images.stalled.set()
            images.goes_on.wait(20)
            self.wfile.write(content[half:])

        def log_message(self, format: str, *args: object) -> None:
            pass

    return Handler
