"""The faults of a TiKV cluster: by the container engine, by the server itself, by PD."""
