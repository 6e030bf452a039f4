"""Two neighbouring ports that are free now."""

import socket


def free_pair() -> int:
    """The lower one of the two."""
    for _ in range(100):
        with socket.create_server(("127.0.0.1", 0)) as lower:
            port: int = lower.getsockname()[1]
            try:
                with socket.create_server(("127.0.0.1", port + 1)):
                    return port
            except (OSError, OverflowError):
                continue
    raise AssertionError("no two neighbouring ports are free")
