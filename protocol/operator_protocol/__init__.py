"""The wire between ``operatord`` and everything that talks to it, and the client side of it.

Nothing in here knows a database, a terminal or a browser: it needs pyzmq and msgpack and no more. The modules that
a short-lived command needs (``codec``, ``errors``, ``endpoint``, ``requests``) import no dataclasses, so that
``operatorctl status`` stays as quick as a shell command should be; ``models``, ``state`` and the joining clients are
for those who follow the bus. The written specification is ``docs/protocol.md``.
"""

PROTOCOL_VERSION = 1
"""Major version of the wire. A peer that speaks another one is refused at ``hello`` with ``version_mismatch``."""
