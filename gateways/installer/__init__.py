"""The program on the installer VM: standard library of Python 3.10 or newer, nothing of the portal."""
