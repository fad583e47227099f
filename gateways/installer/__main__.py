import sys

from gateways.installer.agent import main

sys.exit(main())
