"""Becomes container `browser`'s command as an unprivileged user: no root, no capabilities, no new privileges.

Run as root inside a mount namespace of its own (see `container.py`). The product's command is loaded first and run
after the change, because a clone may lie where that user cannot read.
"""

from __future__ import annotations

import ctypes
import os
import sys

from meeting_buddy_bot.browser import container
from tests.support.user_namespaces import forbid_user_namespaces

UID = 1801  # in no passwd file, as the pod's 10001 may be
NO_USER_NAMESPACES = "TEST_NO_USER_NAMESPACES"
"""Environment variable that takes user namespaces away, as a node without the browser's seccomp profile does."""
_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38
_SIGKILL = 9


def main() -> int:
    """Give everything up, then do as the product does."""
    libc = ctypes.CDLL(None, use_errno=True)
    os.setgroups([])
    os.setresgid(0, 0, 0)
    os.setresuid(UID, UID, UID)  # the kernel takes the capabilities away with it
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(_PR_SET_PDEATHSIG, _SIGKILL, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")
    if os.environ.pop(NO_USER_NAMESPACES, ""):
        forbid_user_namespaces()
    os.chdir("/")
    return container.main(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
