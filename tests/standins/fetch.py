"""``curl`` and ``wget`` as the health checks call them: 0 when the last word, a URL, is answered with success."""

import socket
import sys


def main() -> None:
    # By hand: importing an HTTP client would cost more than the request, every few seconds in every container.
    host, _, path = sys.argv[-1].removeprefix("http://").partition("/")
    address, _, port = host.partition(":")
    try:
        with socket.create_connection((address, int(port or "80")), timeout=2.5) as connection:
            connection.sendall(f"GET /{path} HTTP/1.0\r\nHost: {host}\r\n\r\n".encode())
            status = connection.makefile("rb").readline().split()
    except OSError as error:
        sys.exit(f"{sys.argv[-1]}: {error}")
    if len(status) < 2 or not status[1].startswith(b"2"):
        sys.exit(f"{sys.argv[-1]}: {status}")


if __name__ == "__main__":
    main()
