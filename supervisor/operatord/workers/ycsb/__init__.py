"""The tailer: owns the load's process, reads its status lines, and says how the database is doing under it.

``source`` runs the process, ``status_line`` and ``go_ycsb`` read what it prints, ``tracker`` knows what is normal,
``worker`` puts them together and publishes ``workload.sample``. The viewer only draws.
"""
