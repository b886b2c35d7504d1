"""`python -m videojob_api.crd > crds/videojobs.yaml`."""

import sys

from videojob_api.crd.render import render_yaml

sys.stdout.write(render_yaml())
