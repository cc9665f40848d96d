"""nginx and HAProxy, each as a TLS server and as a TLS client that passes requests on.

They listen on sockets of the file system, so that no port has to be chosen, and nothing listens in the network.
"""

from __future__ import annotations

import contextlib
import shutil
import socket
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from loopback import PATIENCE
from peers import V13, Process, Setup

from tlscope import ClientConfig, TLSStream

REQUEST = b"GET /%b HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
GREETING = b"seen from here"

_NGINX = """
daemon off; master_process off; pid {dir}/pid; error_log stderr notice; events {{ }}
http {{
  access_log off;
  client_body_temp_path {dir}/1; proxy_temp_path {dir}/2; fastcgi_temp_path {dir}/3;
  uwsgi_temp_path {dir}/4; scgi_temp_path {dir}/5;
  server {{
    listen unix:{tls} ssl; server_name localhost;
    ssl_certificate {server}; ssl_certificate_key {server_key}; ssl_protocols {version};
    ssl_session_cache shared:sessions:1m; ssl_client_certificate {ca}; ssl_verify_client on; ssl_verify_depth 3;
    location / {{ return 200 "seen from here: $ssl_client_s_dn"; }}
  }}
  server {{
    listen unix:{plain};
    location / {{
      proxy_pass https://127.0.0.1:{port}; proxy_ssl_protocols {version};
      proxy_ssl_verify on; proxy_ssl_verify_depth 3; proxy_ssl_trusted_certificate {ca};
      proxy_ssl_name localhost; proxy_ssl_server_name on;
      proxy_ssl_certificate {client}; proxy_ssl_certificate_key {client_key};
    }}
  }}
}}
"""

_HAPROXY = """
global
  nbthread 1
defaults
  mode http
  timeout connect 30s
  timeout client 30s
  timeout server 30s
frontend served
  bind unix@{tls} mode 666 ssl crt {server_both} ssl-min-ver {version} ssl-max-ver {version} ca-file {ca} verify required
  http-request return status 200 content-type text/plain lf-string "seen from here: %[ssl_c_s_dn]"
frontend passed-on
  bind unix@{plain} mode 666
  default_backend ours
backend ours
  server ours 127.0.0.1:{port} ssl ca-file {ca} verify required verifyhost localhost sni str(localhost) {versions} {crt}
"""


@dataclass(frozen=True)
class Proxy:
    """One of them, as it runs."""

    directory: Path
    process: Process

    def reach(self, name: str) -> socket.socket:
        """A connection to one of its two sockets, which it may still be about to make."""
        deadline = time.monotonic() + PATIENCE
        while True:
            sock = socket.socket(socket.AF_UNIX)
            sock.settimeout(PATIENCE)
            try:
                sock.connect(str(self.directory / name))
            except (FileNotFoundError, ConnectionRefusedError):
                sock.close()
                assert time.monotonic() < deadline, self.process.text
                time.sleep(0.05)
            else:
                return sock

    def ask_over_tls(self, config: ClientConfig) -> tuple[TLSStream, bytes]:
        """What it serves, and the stream that it came over."""
        with TLSStream.client(self.reach("tls"), config, "localhost", timeout=PATIENCE) as stream:
            stream.sendall(REQUEST % b"")
            received = b""
            while data := stream.recv(65536):
                received += data
        return stream, received

    def ask_in_plain(self, word: bytes) -> bytes:
        """What the server behind it answers."""
        with self.reach("plain") as sock:
            sock.sendall(REQUEST % word)
            received = b""
            while data := sock.recv(65536):
                received += data
        return received


def absent(program: str) -> str | None:
    return None if shutil.which(program) else f"{program} is not installed"


@contextlib.contextmanager
def proxy(program: str, server: Setup, client: Setup, port: int) -> Iterator[Proxy]:
    """Run one: with the server's certificate on one socket, and from another on to ``port`` with the client's."""
    # A socket's path has at most 107 bytes, and pytest's directories have long names.
    with tempfile.TemporaryDirectory(prefix="tls") as name:
        directory = Path(name)
        directory.chmod(0o755)
        assert server.identity is not None
        assert client.identity is not None
        both = {"server": directory / "server.pem", "client": directory / "client.pem"}
        for role, files in (("server", server.identity), ("client", client.identity)):
            both[role].write_bytes(b"".join(path.read_bytes() for path in files))
        nginx = program == "nginx"
        version = "TLSv1.3" if server.version is V13 else "TLSv1.2"
        settings = (_NGINX if nginx else _HAPROXY).format(
            dir=directory,
            tls=directory / "tls",
            plain=directory / "plain",
            server=server.identity[0],
            server_key=server.identity[1],
            server_both=both["server"],
            client=client.identity[0],
            client_key=client.identity[1],
            crt=f"crt {both['client']}",
            ca=server.ca,
            version=version,
            versions=f"ssl-min-ver {version} ssl-max-ver {version}",
            port=port,
        )
        (directory / "settings").write_text(settings)
        options = ["-e", "stderr", "-c"] if nginx else ["-f"]
        with Process(program, *options, str(directory / "settings")) as process:
            yield Proxy(directory, process)
