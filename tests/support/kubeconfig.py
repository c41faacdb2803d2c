"""What a kubeconfig of the tests says: where the API server is, and with which certificate it is asked."""

from __future__ import annotations

import base64
import json
import ssl
import tempfile
from pathlib import Path


def credentials(kubeconfig: Path) -> tuple[str, ssl.SSLContext]:
    """URL of the API server and the client certificate of a kubeconfig (JSON, with everything inside)."""
    document = json.loads(kubeconfig.read_text())
    cluster, user = document["clusters"][0]["cluster"], document["users"][0]["user"]
    authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
    context = ssl.create_default_context(cadata=authority)
    with tempfile.NamedTemporaryFile() as pair:  # a certificate chain is loaded from a file only
        for part in ("client-certificate-data", "client-key-data"):
            pair.write(base64.b64decode(user[part]))
        pair.flush()
        context.load_cert_chain(pair.name)
    return cluster["server"], context
