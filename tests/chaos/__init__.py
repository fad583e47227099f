"""Real worker, dispatcher and PostgreSQL processes, killed with -9 at random and at every boundary of a step.

The steps' world outside is a folder: each thing made is a line in a file, so a thing made twice is two lines.
"""
