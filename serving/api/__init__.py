"""JSON under ``/api/v1``: the routes of contract §4."""

API = "/api/v1"
