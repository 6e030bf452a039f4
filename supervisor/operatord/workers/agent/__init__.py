"""The agent worker: from a dossier to a diagnosis.

``bundle`` numbers what is known, ``rules`` weigh it against the table of the subject, ``claude`` asks a model about it,
``diagnosers`` says who answers, ``answer`` writes it down. Nothing here changes anything: actions are recommended, and
taken elsewhere. The parts of a sentence that come from a log line are data: they are shown, and matched against
patterns, and never obeyed.
"""
