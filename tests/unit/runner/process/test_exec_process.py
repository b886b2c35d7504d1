"""exec.py as a process of its own, laid out as in the image: one flat folder, started by any uid."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.unit.runner.fakes import LEGACY_CONFIG

ROOT = Path(__file__).resolve().parents[4]


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What Dockerfile.runner copies to /videojob."""
    folder = tmp_path_factory.mktemp("image") / "videojob"
    shutil.copytree(ROOT / "runner", folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "api" / "videojob_api", folder / "videojob_api")
    return folder


def io_folder(tmp_path: Path, **config: object) -> Path:
    (tmp_path / "io" / "input").mkdir(parents=True)
    (tmp_path / "io" / "input" / "config.json").write_text(json.dumps(LEGACY_CONFIG | config))
    return tmp_path / "io"


def start(image: Path, io: Path, *arguments: str, code: str | None = None) -> subprocess.Popen[str]:
    program = ["-c", code] if code else ["exec.py", *arguments]
    environment = {"PATH": os.environ["PATH"], "HOME": "/tmp", "VIDEO_IO_PATH": str(io)}
    pipe = subprocess.PIPE
    command = [sys.executable, *program]
    return subprocess.Popen(command, cwd=image, env=environment, text=True, stdout=pipe, stderr=pipe)


def test_q_12_test_mode_imports_no_torch_and_no_engine(image: Path, tmp_path: Path) -> None:
    code = (
        "import sys; from videojob_runner.process.main import main\n"
        "end = main(['--mode=TEST', '-d', '0'])\n"
        "heavy = ('torch', 'torchvision', 'clip', 'kornia', 'taming', 'videojob_runner.engines')\n"
        "print(end, [name for name in heavy if name in sys.modules])"
    )
    process = start(image, io := io_folder(tmp_path), code=code)
    assert process.communicate(timeout=120)[0].strip() == "0 []"
    assert (io / "STATUS").read_text() == "COMPLETED a b a_b.mp4"


def test_an_unknown_mode_ends_with_64_and_says_so_on_one_line(image: Path, tmp_path: Path) -> None:
    process = start(image, io := io_folder(tmp_path), "--mode=PRODUCTION")
    said = process.communicate(timeout=120)[1].strip().splitlines()
    assert (process.returncode, len(said)) == (64, 1)
    assert "choose one of" in said[0]
    assert [path.name for path in io.iterdir()] == ["input"]


def await_line(io: Path, word: str, process: subprocess.Popen[str]) -> None:
    until = time.monotonic() + 60
    while word not in ((io / "STATUS").read_text() if (io / "STATUS").exists() else ""):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until
        time.sleep(0.02)  # another process: there is nothing to wait on but its file


def test_sigterm_ends_it_with_75_within_the_step_and_leaves_in_progress(image: Path, tmp_path: Path) -> None:
    process = start(image, io := io_folder(tmp_path), "--mode=TEST", "-d", "3000")
    await_line(io, "IN_PROGRESS", process)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    assert process.returncode == 75
    assert (io / "STATUS").read_text() == "IN_PROGRESS a b 0% unknown"


def test_a_second_sigterm_while_waiting_for_the_agent_ends_it_with_75(image: Path, tmp_path: Path) -> None:
    io = io_folder(tmp_path)
    code = (
        "import os; os.environ['VIDEOJOB_AWAIT_PUBLISHED'] = '1'\n"
        "from videojob_runner.process.main import main\n"
        "raise SystemExit(main(['--mode=TEST', '-d', '0']))"
    )
    process = start(image, io, code=code)
    await_line(io, "COMPLETED", process)
    process.send_signal(signal.SIGTERM)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(timeout=0.5)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    assert process.returncode == 75
    assert (io / "STATUS").read_text().startswith("COMPLETED")
