"""Experiments as files: read, run, judged and reported by a client.

``operatorctl experiment`` is the only caller. Nothing here knows more of the daemon than any other client: what is
done is done with commands, what is seen is seen in frames (docs/experiments.md).
"""
