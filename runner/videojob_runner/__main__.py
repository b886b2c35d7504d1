"""`python -m videojob_runner --mode=PROD`: the same as exec.py, where the distribution is installed."""

import sys

from videojob_runner.contract.run import main

if __name__ == "__main__":
    sys.exit(main())
