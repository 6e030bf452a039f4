"""Forks in the ways of the fork server, once: ``process_forks.py sibling|twice``; prints what came of it.

The child says its pid, its parent, what libc takes its thread id for, and whether threads and locks work in it. Like a
worker, it waits for a go: before that an intermediate may still be its parent.
"""

import ctypes
import os
import sys
import threading

from operatord.processes import sibling


def libc_thread_id() -> int:
    place = sibling._place_of_thread_id()
    return 0 if place is None else ctypes.c_uint32.from_address(place).value


def main(way: str) -> None:
    fork = sibling.sibling_fork() if way == "sibling" else sibling.fork_twice
    assert fork is not None
    going, go = os.pipe()
    pid = fork()
    if pid:
        os.write(1, f"told {pid}\n".encode())
        os.write(go, b"!")
        sys.stdin.read()
        return
    os.read(going, 1)
    found: list[int] = []
    lock = threading.RLock()
    with lock:
        thread = threading.Thread(target=lambda: found.append(threading.get_native_id()))
        thread.start()
        thread.join()
    right = libc_thread_id() == threading.get_native_id() == os.getpid() != found[0]
    os.write(1, f"child {os.getpid()} {os.getppid()} {right}\n".encode())
    os._exit(7)


if __name__ == "__main__":
    main(sys.argv[1])
