"""Metrics of PD and TiKV through Prometheus: a client that tells *no data* from zero, and the queries with units."""
