"""`python -m videojob_runner --mode=PROD`: the same as exec.py, where the distribution is installed."""

import sys

from videojob_runner.process.main import main

if __name__ == "__main__":
    sys.exit(main())
