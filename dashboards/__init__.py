"""Grafana dashboards: the builder, and the files it makes."""
