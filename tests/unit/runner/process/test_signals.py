"""The first signal asks, the second insists."""

import os
import signal

from videojob_runner.process.signals import StopFlag


def test_the_first_signal_asks_and_the_second_ends_at_once_with_75() -> None:
    exits: list[int] = []
    stop = StopFlag(exit_now=exits.append)
    assert not stop.is_set()
    stop.handle(signal.SIGTERM)
    assert (stop.is_set(), exits) == (True, [])
    stop.handle(signal.SIGTERM)
    assert exits == [75]


def test_an_interrupt_from_the_keyboard_counts_like_sigterm() -> None:
    exits: list[int] = []
    stop = StopFlag(exit_now=exits.append)
    stop.handle(signal.SIGINT)
    stop.handle(signal.SIGTERM)
    assert exits == [75]


def test_waiting_ends_as_soon_as_a_stop_is_asked_for() -> None:
    stop = StopFlag(exit_now=lambda code: None)
    stop.handle(signal.SIGTERM)
    stop.wait(3600.0)


def test_installed_it_hears_a_real_signal() -> None:
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        stop = StopFlag(exit_now=lambda code: None)
        stop.install()
        os.kill(os.getpid(), signal.SIGTERM)
        stop.wait(10.0)
        assert stop.is_set()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
