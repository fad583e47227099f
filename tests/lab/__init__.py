"""The lab: a vCenter simulator with a demo inventory, and a player for the guests that do not really boot."""
