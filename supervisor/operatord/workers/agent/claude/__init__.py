"""Claude as the diagnoser: asked with the bundle of the rules, within budgets, and never needed.

``diagnoser`` is the entry. Nothing in here but ``failure`` is imported before a ticket is to be diagnosed with a key at
hand: the client library alone takes more than half a second.
"""
