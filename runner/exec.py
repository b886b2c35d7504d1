"""`python3 exec.py --mode=PROD`: the program of the runner's image; everything is in `videojob_runner.contract`."""

import sys

from videojob_runner.process.main import main

if __name__ == "__main__":
    sys.exit(main())
