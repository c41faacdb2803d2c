"""containerd, Debian's, with everything it writes under our root, so that it shares nothing with one that runs already.

If it dies: containers go on under their shims; the next `up` starts it again and it finds them. When the machine
restarted meanwhile, its notes of running containers are dropped: there are none.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from tests.local.cluster.component import Daemon
from tests.local.cluster.components import workloads
from tests.local.cluster.components.pause import PAUSE_IMAGE, pause_archive
from tests.local.cluster.paths import Paths
from tests.local.machine.execute import output, succeeds
from tests.local.machine.process import Process, boot_id


@dataclass(frozen=True, slots=True)
class Containerd:
    """containerd, and the pods' processes that it started: they end with it, not before."""

    paths: Paths

    @property
    def name(self) -> str:
        """Its name."""
        return "containerd"

    def start(self) -> str:
        """Run it; import the pause image that every pod's sandbox is made of."""
        if self._rebooted():
            self.forget()
        self._state.mkdir(parents=True, exist_ok=True)
        self._boot.write_text(boot_id())
        note = self._daemon().start()
        if PAUSE_IMAGE not in self.ctr("images", "list", "--quiet").split():
            self.ctr("images", "import", pause_archive())
        return note

    def ready(self) -> bool:
        """True when it answers."""
        return self._daemon().ready()

    def stop(self) -> None:
        """End every pod's processes, their shims, then containerd; take down its mounts."""
        workloads.kill(self.paths)
        self._daemon().stop()
        workloads.unmount_below(self.paths.containerd)

    def forget(self) -> None:
        """Drop its notes of running containers, and their mounts: when none runs any more, and it does not either."""
        workloads.unmount_below(self.paths.containerd)
        shutil.rmtree(self._state, ignore_errors=True)

    def ctr(self, *arguments: str | Path) -> str:
        """Run `ctr` on the namespace that Kubernetes uses; its stdout."""
        return output("ctr", f"--address={self.paths.containerd_socket}", "--namespace=k8s.io", *arguments)

    @property
    def _state(self) -> Path:
        return self.paths.containerd / "state"

    @property
    def _boot(self) -> Path:
        return self._state / "boot-id"

    def _rebooted(self) -> bool:
        return self._boot.is_file() and self._boot.read_text() != boot_id()

    def _daemon(self) -> Daemon:
        configuration = self.paths.containerd / "config.toml"
        argv = ("containerd", f"--config={configuration}")

        def prepare() -> None:
            configuration.write_text(self._configuration())

        def answers() -> bool:
            return succeeds("ctr", f"--address={self.paths.containerd_socket}", "--timeout=2s", "version")

        return Daemon(
            Process("containerd", argv, self.paths.logs / "containerd.log", self.paths.processes), answers, prepare
        )

    def _configuration(self) -> str:
        text = {key: json.dumps(str(value)) for key, value in self._paths().items()}  # JSON text is TOML text
        return f"""version = 2
root = {text["root"]}
state = {text["state"]}
[grpc]
address = {text["socket"]}
[plugins."io.containerd.internal.v1.opt"]
path = {text["opt"]}
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{PAUSE_IMAGE}"
disable_tcp_service = true
# Where CAP_SYS_RESOURCE is missing, no container could start with a lower OOM score than containerd's own.
restrict_oom_score_adj = true
disable_apparmor = {json.dumps(not Path("/sys/module/apparmor").is_dir())}
netns_mounts_under_state_dir = true
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "/usr/lib/cni"
conf_dir = {text["cni"]}
[plugins."io.containerd.grpc.v1.cri".containerd]
snapshotter = "overlayfs"
default_runtime_name = "runc"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
SystemdCgroup = false
Root = {text["runc"]}
"""

    def _paths(self) -> dict[str, Path]:
        return {
            "root": self.paths.containerd / "root",
            "state": self._state,
            "socket": self.paths.containerd_socket,
            "opt": self.paths.containerd / "opt",
            "cni": self.paths.cni / "net.d",
            "runc": self._state / "runc",
        }
