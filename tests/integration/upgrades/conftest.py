from tests.integration.provisioning.conftest import stage  # noqa: F401
from tests.lab.fixtures import lab, lab_server, vcenter  # noqa: F401
