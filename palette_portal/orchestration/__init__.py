"""Durable operations made of steps, numbered events, and the live stream of both.

Truth is in PostgreSQL; a django-q2 task is only a doorbell that may ring twice, late or never. Any process
may be killed at any moment: every due step goes on, never runs twice at once, and its result is written
exactly once. Knows no vSphere and imports no app above: step functions are dotted paths.
"""
