"""What modules log reaches the daemon's own log."""

import asyncio
import logging

from operatord.logging_bridge import logging_to


def test_records_arrive_as_text_from_any_thread_and_only_while_it_lasts() -> None:
    said: list[str] = []
    log = logging.getLogger("operatord.faults.desk")

    async def story() -> None:
        with logging_to(said.append):
            log.warning("%s is owed", "f-1")
            log.info("undone")
            log.debug("not that loud")
            logging.getLogger("somebody.else").info("nor that")
            logging.getLogger("somebody.else").warning("but this")
            await asyncio.to_thread(log.warning, "from a thread")
            await asyncio.sleep(0)
            try:
                raise RuntimeError("a defect")
            except RuntimeError:
                log.exception("the story stumbled")
        log.info("too late")

    asyncio.run(story())
    assert said[:4] == [
        "operatord.faults.desk: f-1 is owed",
        "operatord.faults.desk: undone",
        "somebody.else: but this",
        "operatord.faults.desk: from a thread",
    ]
    assert said[4].startswith("operatord.faults.desk: the story stumbled\nTraceback")
    assert said[4].endswith("RuntimeError: a defect")
    assert len(said) == 5
