"""A daemon whose tickets go to a PostgreSQL that is away at the start, comes, freezes, and comes back."""

import json
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, text
from tests.supervisor.tickets.postgres_server import running_postgres

from .real_daemon import RealDaemon, until


def test_the_daemon_works_without_its_shared_database_which_gets_every_word_later(
    stopped_daemon: RealDaemon, tmp_path: Path
) -> None:
    with running_postgres() as server:
        engine = create_engine(server.url)

        def rows(query: str) -> list[tuple[Any, ...]]:
            with engine.connect() as connection:
                return [tuple(row) for row in connection.execute(text(query))]

        server.stop()
        config = tmp_path / "operatord.toml"
        config.write_text(f'[tickets]\nurl = "{server.url}"\nhost = "db-1"\ncluster = "shop"\n', encoding="utf-8")
        daemon = stopped_daemon
        try:
            daemon.start("--config", str(config))
            daemon.ctl("fault", "kill", "--target", "valkey-3", "--countdown", "0", check=True)
            until(lambda: daemon.status()["tickets_open"] > 0, "a ticket")
            away = daemon.ctl("tickets", "--everywhere")
            assert (away.returncode, "postgresql://127.0.0.1" in away.stderr) == (1, True)
            server.start()
            until(lambda: daemon.ctl("tickets", "--everywhere").returncode == 0, "the shared database to be used", 60)
            daemon.ctl("diagnose", check=True)
            with server.frozen():
                daemon.ctl("recover", check=True)
                until(lambda: daemon.status()["tickets_open"] == 0, "the tickets to be resolved")
                daemon.ctl("note", "1", "while", "it was frozen", check=True)
                said = daemon.ctl("ticket", "1", "--history", "--json", check=True).stdout
            kept = [event["what"] for event in json.loads(said)["history"]]

            def sent() -> bool:
                found = rows("SELECT what FROM ticket_events WHERE ticket = 1 ORDER BY id")
                return [what for (what,) in found][: len(kept)] == kept  # the agent may go on with it

            until(sent, "every word to arrive")
            assert rows("SELECT DISTINCT host, cluster, status FROM tickets") == [("db-1", "shop", "resolved")]
            assert {"opened", "step", "diagnosis", "status", "note"} <= set(kept)
            log = daemon.ctl("events", "--since", "10m", "--topic", "process.operatord.log", check=True).stdout
            assert "tickets are kept here and sent later" in log
            assert "hunter2" not in log
            listed = daemon.ctl("tickets", "--everywhere", check=True).stdout
            assert ("db-1" in listed, "shop" in listed) == (True, True)
        finally:
            daemon.end()  # before its database
            engine.dispose()
