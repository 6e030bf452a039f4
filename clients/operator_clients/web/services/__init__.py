"""How the services are: health, sparklines and topology, from VictoriaMetrics or Prometheus.

``catalogue`` says which services there are and how their figures are asked for, ``thresholds`` which figures are bad,
``source`` is what is asked, ``reading`` keeps the answers, ``router`` serves them. The application mounts
``router.services_router``; nothing else outside needs more than ``catalogue.load_catalogue``, ``prometheus`` and
``mock``.
"""
