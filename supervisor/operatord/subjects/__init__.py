"""What is operated: the two halves of a subject, and one folder for each subject there is.

``base`` holds the contract. A subject imports nothing of the daemon above it: it is handed what it needs
(``Servers``), and it is used by the daemon (control half) and by workers (probe half).
"""
