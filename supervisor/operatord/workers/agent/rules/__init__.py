"""The rules: a decision table for each subject, over findings and nothing else.

``weighing`` compares a bundle with the table of its subject (``books``); ``signs`` say what can be looked for.
"""
