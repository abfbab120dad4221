"""A year in the life of small cold rooms: what normal running looks like, and how plants fail.

Every parameter is fixed in ``rooms``, ``climate``, ``diary``, ``probes`` and ``failures`` and
was before any figure was taken; ``docs/reliability.md`` says where each comes from.
"""
