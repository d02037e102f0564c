"""The demo's settings, with the front end's folder and URLs."""

import os
from pathlib import Path

from demo.settings import *  # noqa: F403

ROOT_URLCONF = "tests.front_end.urls"

#: The output of ``npm run build`` in the front end's repository.
LEARNER_RECORD_DIST = Path(os.environ["LEARNER_RECORD_DIST"])
