"""`make demo`: the whole portal with a simulated vCenter, as one foreground process tree."""
