"""Daemons: found again by pid and start time, stopped by pid only, and honest about who is alive."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from devcluster.errors import StartFailed
from devcluster.host.daemons import Daemons, process_start_time
from devcluster.host.wait import wait_until

FOREVER = ["sleep", "1000"]
DEAF = [sys.executable, "-c", "from signal import *; signal(15, SIG_IGN); print('deaf', flush=True); pause()"]


@pytest.fixture
def daemons(tmp_path: Path) -> Iterator[Daemons]:
    started = Daemons(tmp_path)
    yield started
    for name in started.names():
        started.stop(name, timeout=0)


def said(daemons: Daemons, name: str, word: str) -> None:
    wait_until(f"{word!r} in the log", lambda: word in daemons.log(name).read_text(), seconds=20)


def test_a_started_daemon_runs_in_a_session_of_its_own(daemons: Daemons) -> None:
    pid = daemons.start("sleeper", FOREVER)
    assert daemons.running("sleeper")
    assert os.getsid(pid) == pid != os.getsid(0)


def test_another_process_finds_the_daemon_by_the_folder(daemons: Daemons) -> None:
    pid = daemons.start("sleeper", FOREVER)
    assert Daemons(daemons.folder).pid("sleeper") == pid


def test_a_stopped_daemon_is_gone_and_forgotten(daemons: Daemons) -> None:
    pid = daemons.start("sleeper", FOREVER)
    daemons.stop("sleeper")
    assert process_start_time(pid) is None
    assert daemons.names() == []


def test_a_daemon_deaf_to_terminate_is_killed(daemons: Daemons) -> None:
    pid = daemons.start("deaf", DEAF)
    said(daemons, "deaf", "deaf")
    daemons.stop("deaf", timeout=0.2)
    assert process_start_time(pid) is None


def test_stopping_what_never_ran_does_nothing(daemons: Daemons) -> None:
    daemons.stop("nobody")
    assert not daemons.running("nobody")


def test_a_second_start_is_refused_and_the_first_lives_on(daemons: Daemons) -> None:
    pid = daemons.start("sleeper", FOREVER)
    with pytest.raises(StartFailed, match="sleeper is already running"):
        daemons.start("sleeper", FOREVER)
    assert daemons.pid("sleeper") == pid


def test_a_zombie_does_not_count_as_running() -> None:
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
    try:
        os.kill(child, 0)
        assert process_start_time(child) is None
    finally:
        os.waitpid(child, 0)


def test_a_pid_that_now_belongs_to_somebody_else_is_not_ours_to_stop(daemons: Daemons) -> None:
    pid = daemons.start("sleeper", FOREVER)
    (daemons.folder / "run" / "stranger.pid").write_text(f"{pid} 1\n")
    assert not daemons.running("stranger")
    daemons.stop("stranger")
    assert daemons.running("sleeper")


def test_a_torn_pid_file_means_not_running(daemons: Daemons) -> None:
    daemons.start("sleeper", FOREVER)
    (daemons.folder / "run" / "torn.pid").write_text("12")
    assert not daemons.running("torn")


def test_what_a_daemon_says_is_in_its_log_and_in_the_error(daemons: Daemons) -> None:
    daemons.start("grumbler", ["sh", "-c", "echo out; echo port 443 is taken >&2"])
    wait_until("the end", lambda: not daemons.running("grumbler"), seconds=20)
    assert daemons.log("grumbler").read_text().split() == ["out", "port", "443", "is", "taken"]
    with pytest.raises(StartFailed, match=r"grumbler ended(.|\n)*port 443 is taken"):
        daemons.check_running("grumbler")


def test_last_words_are_the_last_ones(daemons: Daemons) -> None:
    daemons.start("talker", ["seq", "1", "500"])
    wait_until("the end", lambda: not daemons.running("talker"), seconds=20)
    lines = daemons.log_tail("talker").splitlines()
    assert str(daemons.log("talker")) in lines[0]
    assert lines[-1] == "500"
    assert len(lines) < 30


def test_the_prefix_is_put_before_the_command(tmp_path: Path) -> None:
    prefixed = Daemons(tmp_path, prefix=("env", "WORD=inside"))
    prefixed.start("teller", ["sh", "-c", "echo $WORD"])
    said(prefixed, "teller", "inside")


def test_the_environment_is_added_to_ours(daemons: Daemons) -> None:
    daemons.start("teller", ["sh", "-c", "echo $EXTRA; echo path=$PATH"], environment={"EXTRA": "more"})
    said(daemons, "teller", f"path={os.environ['PATH']}")
    assert daemons.log("teller").read_text().startswith("more\n")


def test_terminate_reaches_the_daemon_as_terminate(daemons: Daemons) -> None:
    program = "from signal import *\nsignal(15, lambda *_: exit(print('asked')))\nprint('up', flush=True)\npause()"
    daemons.start("polite", [sys.executable, "-c", program])
    said(daemons, "polite", "up")
    daemons.stop("polite")
    assert daemons.log("polite").read_text() == "up\nasked\n"


def test_a_paused_daemon_lives_and_goes_on_after_the_block(daemons: Daemons) -> None:
    pid = daemons.start("sleeper", FOREVER)
    with pytest.raises(KeyError), daemons.pause("sleeper"):
        wait_until("the pause", lambda: state_of(pid) == "T", seconds=20)
        assert daemons.running("sleeper")
        raise KeyError
    wait_until("the end of the pause", lambda: state_of(pid) == "S", seconds=20)


def test_a_daemon_that_ends_while_it_is_paused_stays_ended(daemons: Daemons) -> None:
    daemons.start("sleeper", FOREVER)
    with daemons.pause("sleeper"):
        daemons.stop("sleeper", timeout=0)
    assert not daemons.running("sleeper")


def test_what_does_not_run_cannot_be_paused(daemons: Daemons) -> None:
    with pytest.raises(StartFailed, match="nobody ended"), daemons.pause("nobody"):
        raise AssertionError("never reached")


def state_of(pid: int) -> str:
    """The kernel's letter for a process: S sleeps, T is stopped."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0]


def test_the_start_time_of_a_living_process_stays_the_same() -> None:
    assert process_start_time(os.getpid()) == process_start_time(os.getpid()) is not None


def test_a_process_name_with_a_parenthesis_does_not_confuse_the_start_time(tmp_path: Path) -> None:
    odd = tmp_path / "a) Z 1 (b"
    odd.symlink_to("/bin/sleep")
    pid = os.spawnv(os.P_NOWAIT, odd, ["sleep", "1000"])
    try:
        assert str(process_start_time(pid)).isdigit()
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
