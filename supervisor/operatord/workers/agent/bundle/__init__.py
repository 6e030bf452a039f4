"""The evidence bundle: from a dossier to numbered findings.

``scene`` says which node it is about and when it began; the gatherers note what bears on it; ``gathering`` puts them in
order. Rules and Claude are handed the same bundle.
"""
