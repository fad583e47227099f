from tests.lab.fixtures import lab, lab_server  # noqa: F401
