"""How a runner is started: by the operator in a pod, by the command line on a laptop."""

from enum import StrEnum


class RunMode(StrEnum):
    """What to do; the words of `--mode` and VIDEOJOB_MODE in any case."""

    PROD = "PROD"
    TEST = "TEST"
    TEST_FAIL = "TEST_FAIL"
    SETUP = "SETUP"
