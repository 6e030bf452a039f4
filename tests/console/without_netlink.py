"""Runs a program that learns nothing of network interfaces: ``python without_netlink.py PROGRAM [ARGUMENT ...]``.

A Chromium that hears of a new address on any interface gives up the requests that are under way, with
``ERR_NETWORK_CHANGED``; and beside its tests others make bridges, veth pairs and addresses all the time. It cannot be
told not to look. Where there is no netlink socket to be had, it goes on as if nothing ever changed.

The filter is one of the kernel's (seccomp), set by libseccomp, which ``apt`` itself needs; without it the program runs
as it is.
"""

import ctypes
import ctypes.util
import errno
import os
import socket
import sys

_ALLOW = 0x7FFF0000
_FAIL = 0x00050000
_EQUAL = 4
_AF_NETLINK = int(socket.AF_NETLINK)


class _Argument(ctypes.Structure):
    """``struct scmp_arg_cmp``."""

    _fields_ = [
        ("number", ctypes.c_uint),
        ("how", ctypes.c_int),
        ("value", ctypes.c_uint64),
        ("second", ctypes.c_uint64),
    ]


def refuse_netlink() -> None:
    """From now on, for this process and its children, ``socket(AF_NETLINK, …)`` fails with EAFNOSUPPORT."""
    name = ctypes.util.find_library("seccomp") or "libseccomp.so.2"
    try:
        library = ctypes.CDLL(name)
    except OSError:
        return
    library.seccomp_init.restype = ctypes.c_void_p
    context = ctypes.c_void_p(library.seccomp_init(ctypes.c_uint32(_ALLOW)))
    number = library.seccomp_syscall_resolve_name(b"socket")
    family = _Argument(0, _EQUAL, _AF_NETLINK, 0)
    failing = ctypes.c_uint32(_FAIL | errno.EAFNOSUPPORT)
    failed = library.seccomp_rule_add_array(context, failing, number, ctypes.c_uint(1), ctypes.byref(family))
    if failed or library.seccomp_load(context):
        raise OSError("the filter could not be set")


if __name__ == "__main__":
    refuse_netlink()
    os.execvp(sys.argv[1], sys.argv[1:])
