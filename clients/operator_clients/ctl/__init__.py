"""``operatorctl``: one command of the daemon per subcommand, for shells, scripts and CI.

The rule of this folder is start-up time: ``cli`` imports the module of one subcommand only, and a simple command pays
for argparse, pyzmq and msgpack and nothing else. What follows the bus (``wait``, ``events -f``, ``fault``, ``demo``)
imports the client library, and Rich is imported where a diagnosis is drawn on a terminal. Nobody else imports from
here.
"""
