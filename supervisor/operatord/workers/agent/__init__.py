"""The agent worker: from a dossier to a diagnosis.

``evidence`` numbers what is known, ``table`` says what speaks for and against each cause, ``rules`` weighs it,
``report`` writes it down, ``markdown`` renders it. Nothing here changes anything: actions are recommended, and taken
elsewhere. The parts of a sentence that come from a log line are data: they are shown, and matched against patterns,
and never obeyed.
"""
