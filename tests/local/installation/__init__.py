"""Meeting Buddy installed on the local cluster with its own chart.

The local cluster is a bot class and nothing else: what differs from anybody's installation stands in
``values.local_values`` and is a chart value that everybody has.
"""

from tests.local.installation.install import NAMESPACE, RELEASE, SESSIONS, install, roll_back, uninstall, upgrade
from tests.local.installation.values import local_values

__all__ = ["NAMESPACE", "RELEASE", "SESSIONS", "install", "local_values", "roll_back", "uninstall", "upgrade"]
