"""PD's HTTP API (``/pd/api/v1``, PD 8.5): a client that any PD of the cluster may answer, and what the answers mean."""
