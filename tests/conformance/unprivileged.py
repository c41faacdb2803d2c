"""Runs a bot's module under the pod's uid and gid, without capabilities and without new privileges.

``python -m tests.conformance.unprivileged MODULE``, as root. The module is loaded first and its ``main()`` is run after
the change, because a clone, or the interpreter itself, may lie where that uid cannot read.
"""

import ctypes
import importlib
import os
import signal
import sys

UID, GID = 10001, 0
_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38
_LOADED_LATE = ("concurrent.futures.thread", "encodings.idna", "encodings.utf_16_be")
"""What the standard library looks up only when it needs it, when it may no longer be readable."""


def main() -> None:
    """Become the pod's user, then the bot."""
    module = [importlib.import_module(name) for name in (*_LOADED_LATE, sys.argv.pop(1))][-1]
    os.setgroups([])
    os.setresgid(GID, GID, GID)
    os.setresuid(UID, UID, UID)  # the kernel takes the capabilities away with it
    libc = ctypes.CDLL(None)
    # SIGTERM when the tests' process is gone: the bot then ends what it started, where SIGKILL would leave it behind.
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0):
        raise OSError("prctl")
    module.main()


if __name__ == "__main__":
    main()
