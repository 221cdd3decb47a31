"""`python -m missioncontrol.cli`."""

import sys

from missioncontrol.cli import main

sys.exit(main())
