"""The demo: a story in chapters, told on the running system.

``chapter`` says what a chapter is and makes the two kinds that break and repair; ``chapters`` is the story itself,
``narration`` its words; ``telling`` remembers what happened since the story began; ``director`` walks through it. The
director lives in the daemon, so every viewer and every script sees the same chapter. Nothing here invents a number:
what is told was seen in frames.
"""
