"""Plays the guests of a simulated vCenter: what a virtual machine would do after it has been powered on.

It knows only what vCenter shows and what the user-data says, never the portal's database.
"""

from tests.lab.guests.pace import Pace
from tests.lab.guests.player import Guests

__all__ = ["Guests", "Pace"]
