"""Forbids a process, and all that it starts, to make user namespaces, as a runtime's default seccomp profile does.

The same three rules as in containerd's and CRI-O's defaults for a container without CAP_SYS_ADMIN: `unshare` and
`clone` with CLONE_NEWUSER are refused with EPERM, `clone3` (whose flags a filter cannot read) does not exist.
"""

from __future__ import annotations

import ctypes
import errno
import platform
import struct
from typing import Final

_NEW_USER: Final = 0x10000000  # CLONE_NEWUSER
_NUMBERS: Final = {"x86_64": (56, 272, 435), "aarch64": (220, 97, 435)}
"""System calls `clone`, `unshare`, `clone3` of each machine that the bot's image is built for."""
_LOAD, _EQUAL, _ANY_BIT, _RETURN = 0x20, 0x15, 0x45, 0x06  # BPF: load word, jump if equal, jump if set, return
_NUMBER, _FIRST_ARGUMENT = 0, 16  # offsets in struct seccomp_data; the low word of the argument, little-endian
_ALLOW, _REFUSE = 0x7FFF0000, 0x00050000
_PR_SET_SECCOMP, _FILTER = 22, 2


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def forbid_user_namespaces() -> None:
    """Install the filter; the process must have no-new-privileges set, and nothing takes the filter away again.

    Raises:
        OSError: the kernel refused it.
    """
    clone, unshare, clone3 = _NUMBERS[platform.machine()]
    instructions = (
        (_LOAD, 0, 0, _NUMBER),
        (_EQUAL, 5, 0, clone3),
        (_EQUAL, 1, 0, clone),
        (_EQUAL, 0, 4, unshare),
        (_LOAD, 0, 0, _FIRST_ARGUMENT),
        (_ANY_BIT, 0, 2, _NEW_USER),
        (_RETURN, 0, 0, _REFUSE | errno.EPERM),
        (_RETURN, 0, 0, _REFUSE | errno.ENOSYS),
        (_RETURN, 0, 0, _ALLOW),
    )
    code = b"".join(struct.pack("<HBBI", *each) for each in instructions)
    libc = ctypes.CDLL(None, use_errno=True)
    program = _Program(len(instructions), code)
    if libc.prctl(_PR_SET_SECCOMP, _FILTER, ctypes.byref(program), 0, 0):
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_SECCOMP)")
