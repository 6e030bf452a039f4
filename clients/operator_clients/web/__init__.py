"""The gateway of the web console: ``operator-web``, an HTTP server that is a client of the bus like any other.

``app`` assembles it from routers, each in a module of its own: what is live (``live``), commands, services, DevOps,
Kubernetes, figures for Prometheus, and the built application. ``security`` holds who may ask, and for what. It needs
the extra ``web``; nothing else of the clients imports it.
"""
