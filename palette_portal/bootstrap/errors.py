"""
BootstrapError            the values given cannot become documents; the sentence says which one and why
`-- TooLarge              the documents do not fit through guestinfo
"""


class BootstrapError(ValueError):
    pass


class TooLarge(BootstrapError):
    pass
