"""The meeting's reverse proxy: nginx with TLS on the node's address, for page, token endpoint and signalling.

Debian's nginx with our own configuration, prefix, pid file and logs, in the foreground as a process of ours. The
system's nginx service and /etc/nginx are neither used nor touched.
"""

from __future__ import annotations

import shutil
import socket
import ssl
from pathlib import Path

from tests.local.machine.cache import digest
from tests.local.machine.certificates import Authority, Pair, Subject
from tests.local.machine.process import Process
from tests.local.meetings.livekit import page
from tests.local.meetings.livekit.paths import ADDRESS, HOST, SIGNAL_PORT, TLS_PORT, TOKEN_PORT, Paths

_TEMPLATE = """\
daemon off;
worker_processes 1;
pid {prefix}/nginx.pid;
error_log stderr warn;
events {{ worker_connections 512; }}
http {{
  access_log off;  # a request for a token or for signalling carries who joins what
  types {{ text/html html; text/css css; text/javascript js; }}
  default_type application/octet-stream;
  client_body_temp_path {prefix}/body; proxy_temp_path {prefix}/proxy; fastcgi_temp_path {prefix}/fastcgi;
  scgi_temp_path {prefix}/scgi; uwsgi_temp_path {prefix}/uwsgi;
  server {{
    listen {address}:{port} ssl;
    server_name {host};
    ssl_certificate {certificate};
    ssl_certificate_key {key};
    ssl_protocols TLSv1.2 TLSv1.3;
    root {page};
    location / {{ try_files $uri /index.html; add_header Cache-Control no-cache; }}
    location /api/ {{ proxy_pass http://127.0.0.1:{tokens}; }}
    location /rtc {{
      proxy_pass http://127.0.0.1:{signalling};
      proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection upgrade;
      proxy_set_header Host $host;
      proxy_read_timeout 1h;  # signalling is quiet for long
    }}
  }}
}}
"""


def configuration(paths: Paths, pair: Pair, page_folder: Path) -> str:
    """nginx.conf."""
    return _TEMPLATE.format(
        prefix=paths.nginx,
        address=ADDRESS,
        port=TLS_PORT,
        host=HOST,
        certificate=pair.certificate,
        key=pair.key,
        page=page_folder,
        tokens=TOKEN_PORT,
        signalling=SIGNAL_PORT,
    )


def prepare(paths: Paths) -> Process:
    """Certificate, page and configuration; the process that uses them (not started).

    The page is copied out of the cache, because nginx's worker has no business in root's home.
    """
    authority = Authority.ensure(paths.root, "Local meeting: test authority")
    pair = authority.issue("front", Subject(HOST, dns=(HOST,)))
    built = page.built()
    served = paths.nginx / f"page-{built.parent.name}"
    if not served.is_dir():
        aside = served.with_suffix(".new")
        shutil.rmtree(aside, ignore_errors=True)
        shutil.copytree(built, aside)
        aside.rename(served)
    text = configuration(paths, pair, served)
    path = paths.nginx / f"nginx-{digest([text, pair.certificate])}.conf"
    path.write_text(text)
    for folder in (paths.root.parent, paths.root, paths.nginx):
        folder.chmod(0o755)
    return Process(
        name="front",
        argv=("nginx", "-p", str(paths.nginx), "-e", "stderr", "-c", str(path)),
        log=paths.logs / "front.log",
        state_dir=paths.processes,
    )


def answers(paths: Paths) -> bool:
    """True when a client that trusts only the meeting's authority gets the page. Raises `OSError` when it cannot."""
    context = ssl.create_default_context(cafile=str(paths.authority))
    with (
        socket.create_connection((ADDRESS, TLS_PORT), timeout=2) as plain,
        context.wrap_socket(plain, server_hostname=HOST) as secure,
    ):
        secure.sendall(f"GET / HTTP/1.0\r\nHost: {HOST}\r\n\r\n".encode())
        return b" 200 " in secure.recv(64)
