"""Exit codes are read by failure policies and by users' scripts."""

from videojob_api.contract.exit_codes import ExitCode


def test_exit_codes_are_a_promise() -> None:
    assert {code.name: code.value for code in ExitCode} == {
        "DONE": 0,
        "BAD_CONFIG": 64,
        "BAD_INPUT": 65,
        "UNSAFE_CHECKPOINT": 66,
        "INTERNAL": 70,
        "NOT_PUBLISHED": 74,
        "INTERRUPTED": 75,
    }
