"""A real nginx in front of the HTTP API, which passes requests on as the Ingress controller of that name does.

Answers are buffered, which is nginx' own default, and the connections to the API are kept: one, so that everybody's
requests follow each other on it.
"""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.awaiting import wait_until
from tests.support.machine_wide import free_port

HOST = "127.0.0.1"

_TEMPLATE = """\
daemon off;
user root;
worker_processes 1;
pid {folder}/nginx.pid;
error_log stderr warn;
events {{ worker_connections 512; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  scgi_temp_path {folder}/scgi; uwsgi_temp_path {folder}/uwsgi;
  keepalive_timeout 0;  # those of clients end with their answer
  client_header_timeout 2s;
  client_body_timeout 2s;
  large_client_header_buffers 4 32k;
  map $http_upgrade $connection_upgrade {{ default upgrade; '' ''; }}
  upstream api {{ server {host}:{upstream}; keepalive 1; keepalive_timeout 60s; }}
  server {{
    listen {host}:{port};
    location / {{
      proxy_pass http://api;
      proxy_http_version 1.1;
      proxy_set_header Host $http_host;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_upgrade;
      proxy_set_header X-Real-IP $remote_addr;
      proxy_set_header X-Forwarded-For $remote_addr;
      proxy_set_header X-Forwarded-Host $http_host;
      proxy_set_header X-Forwarded-Port $server_port;
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_set_header X-Forwarded-Scheme $scheme;
      proxy_set_header X-Scheme $scheme;
      proxy_set_header X-Original-Forwarded-For $http_x_forwarded_for;
      proxy_set_header Proxy "";
    }}
  }}
}}
"""


@dataclass(frozen=True, slots=True)
class ReverseProxy:
    """nginx, which listens."""

    port: int

    @property
    def url(self) -> str:
        """Where it serves."""
        return f"http://{HOST}:{self.port}"


@contextmanager
def proxied(upstream: int, folder: Path) -> Iterator[ReverseProxy]:
    """nginx for the block, before port ``upstream`` of loopback; it writes below ``folder``.

    Call it in the main thread: it ends with the thread that started it.
    """
    found = ReverseProxy(free_port())
    configuration = folder / "nginx.conf"
    configuration.write_text(_TEMPLATE.format(folder=folder, host=HOST, port=found.port, upstream=upstream))
    argv = ("setpriv", "--pdeathsig", "TERM", "nginx", "-p", str(folder), "-e", "stderr", "-c", str(configuration))
    with (folder / "nginx.log").open("wb") as log:
        process = subprocess.Popen(argv, stderr=log)
    try:
        wait_until(lambda: process.poll() is not None or _listens(found.port), "nginx listens", 60)
        assert process.poll() is None, (folder / "nginx.log").read_text()
        yield found
    finally:
        process.terminate()
        process.wait(60)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0
