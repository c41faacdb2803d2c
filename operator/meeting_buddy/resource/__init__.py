"""The MeetingSession resource and the administrator's bot classes, as pydantic models.

One source: the CRD in ``crds/`` and the chart's copy of it are generated from these models (``resource.generate``).
"""
