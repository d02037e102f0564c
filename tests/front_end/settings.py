"""The demo's settings, with the front end's folder and one more URL configuration."""

import os
from pathlib import Path

from demo.settings import *  # noqa: F403

ROOT_URLCONF = "tests.front_end.urls"

#: What ``npm run build`` made of the front end's repository.
LEARNER_RECORD_DIST = Path(os.environ["LEARNER_RECORD_DIST"])
