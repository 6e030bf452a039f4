"""The demo: a story in chapters, told on the running system.

``chapter`` says what a chapter is and makes the kinds that every story has; ``plan`` is a story as data, ``chapters``
the built-in one, ``reading`` one from a file, with its ``signs`` and ``figures``; ``narration`` decides what is said,
``catalogue`` has the words; ``telling`` remembers what happened since the story began; ``standing`` decides what may
happen next, ``effects`` bring it about and take it back, ``showing`` says how it looks; ``director`` walks through it.
The director lives in the daemon, so every viewer and every script sees the same chapter. Nothing here invents a number:
what is told was seen in frames.
"""
