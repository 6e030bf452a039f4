"""Processes: who starts them, who learns of their death, who reaps them, who reads what they print.

``table`` is what the daemon uses: workers by name, forked from a warm fork server and restarted with backoff, and the
subject's servers, exec'd and never restarted by themselves. ``records`` and ``detached`` let a later daemon, or
``operatord recover``, find and end what an earlier one started. Everything that execs goes through ``spawn``,
everything that signals a group through ``groups``, everything that reaps through ``reaper``. Nothing is re-exported:
import the module that holds the idea.
"""
