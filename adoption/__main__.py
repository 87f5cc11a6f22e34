"""Makes `python -m adoption` the same as the command `adopt-project`."""

import sys

from adoption.cli import main

sys.exit(main())
