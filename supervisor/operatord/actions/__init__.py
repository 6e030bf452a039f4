"""Actions: what is done about a ticket, under control, and checked afterwards.

``registry`` knows what can be done and asks the subject whether it can be done now; ``policy`` says what may be done
without asking, ``switch`` whether anything may be done at all, ``authority`` both in one, ``pace`` how often. ``desk``
takes proposals and decisions, ``decisions`` says what each makes of an action, ``execution`` carries one out,
``verification`` looks whether the violation really ended. ``store`` remembers across restarts, ``register`` tells
everybody of each change. Only the daemon has a desk: the agent recommends, and touches nothing.
"""
