"""The kubelet: this machine as the cluster's one node.

If it dies: pods go on; after 50 s the node is NotReady. The next `up` starts it again and it finds them.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from tests.local.clone import SECCOMP_PROFILE
from tests.local.cluster import api, commands
from tests.local.cluster.component import Daemon
from tests.local.cluster.components import workloads
from tests.local.cluster.components.pki import Pki
from tests.local.cluster.paths import CLUSTER_DOMAIN, NODE_ADDRESS, NODE_NAME, Paths
from tests.local.machine.http_check import answers_ok
from tests.local.machine.process import Process

_HEALTH = "http://127.0.0.1:10248/healthz"
_LOG_LINKS = Path("/var/log/containers")  # compiled into the kubelet


@dataclass(frozen=True, slots=True)
class Kubelet:
    """The kubelet with its configuration, and the bot's seccomp profile where pods can name it."""

    paths: Paths
    pki: Pki

    @property
    def name(self) -> str:
        """Its name."""
        return "kubelet"

    def start(self) -> str:
        """Run it; ready once the node is."""
        workloads.make_cgroup()
        return self._daemon().start()

    def ready(self) -> bool:
        """True when the API server says that the node is Ready."""
        return self._daemon().ready()

    def stop(self) -> None:
        """End it, and what is mounted for its pods. Their processes end with containerd."""
        self._daemon().stop()
        workloads.kill(self.paths)
        workloads.unmount_below(self.paths.kubelet)
        workloads.remove_cgroup()
        if _LOG_LINKS.is_dir():
            for link in _LOG_LINKS.iterdir():
                if link.is_symlink() and link.readlink().is_relative_to(self.paths.root):
                    link.unlink()

    def _daemon(self) -> Daemon:
        document = json.dumps(self._configuration(), indent=1)
        # Named by its content: another one is another command line, for which the running kubelet is ended.
        digest = hashlib.sha256(document.encode()).hexdigest()[:12]
        configuration = self.paths.kubelet / f"config-{digest}.json"
        argv = (
            str(commands.kubernetes_command("kubelet")),
            f"--config={configuration}",
            f"--kubeconfig={self.pki.kubeconfig('kubelet')}",
            f"--hostname-override={NODE_NAME}",
            f"--node-ip={NODE_ADDRESS}",
            f"--root-dir={self.paths.kubelet}",
            f"--cert-dir={self.paths.kubelet / 'pki'}",
        )

        def prepare() -> None:
            self.paths.kubelet.mkdir(parents=True, exist_ok=True)
            configuration.write_text(document)
            # For pods that want the node's resolver: no name of the outside is any of their business. An address where
            # nobody listens makes look-ups fail at once instead of after their time-out. All others ask the cluster's.
            (self.paths.kubelet / "resolv.conf").write_text("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
            profile = self.paths.kubelet / "seccomp" / "meeting-buddy" / "chromium.json"
            profile.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(SECCOMP_PROFILE, profile)

        process = Process("kubelet", argv, self.paths.logs / "kubelet.log", self.paths.processes)
        return Daemon(process, self._node_ready, prepare, patience=120)

    def _node_ready(self) -> bool:
        # The node's word alone would be the previous kubelet's for another 50 s.
        if not answers_ok(_HEALTH):
            return False
        node = api.get(self.pki, f"/api/v1/nodes/{NODE_NAME}")
        conditions = node["status"].get("conditions", []) if node else []
        return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)

    def _configuration(self) -> dict[str, object]:
        pair = self.pki.client("kubelet")
        return {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "address": NODE_ADDRESS,
            "healthzBindAddress": "127.0.0.1",
            "authentication": {
                "anonymous": {"enabled": False},
                "webhook": {"enabled": True},
                "x509": {"clientCAFile": str(self.pki.authority.certificate)},
            },
            "authorization": {"mode": "Webhook"},
            "tlsCertFile": str(pair.certificate),
            "tlsPrivateKeyFile": str(pair.key),
            "containerRuntimeEndpoint": f"unix://{self.paths.containerd_socket}",
            "cgroupDriver": "cgroupfs",
            "cgroupRoot": f"/{workloads.CGROUP}",
            "failSwapOn": False,
            "failCgroupV1": False,
            "makeIPTablesUtilChains": False,  # kube-proxy brings its own
            "podLogsDir": str(self.paths.root / "pod-logs"),
            "resolvConf": str(self.paths.kubelet / "resolv.conf"),
            "clusterDNS": [NODE_ADDRESS],
            "clusterDomain": CLUSTER_DOMAIN,
            "serializeImagePulls": False,
            # A test machine's disk may be full of other things: images are never collected, pods evicted only late.
            "imageGCHighThresholdPercent": 100,
            "imageGCLowThresholdPercent": 99,
            "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
        }
