"""Starts what the portal runs on: an embedded PostgreSQL and a tree of processes. Knows no Django."""
