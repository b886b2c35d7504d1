"""
Adds the audio track of another file to a video (specification §5.3, quirk Q-15).

The sound track keeps its codec where every player of mp4 knows it and becomes AAC otherwise. The picture is copied,
never encoded again, and decides the length: longer sound is cut, shorter sound ends before it.
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Final

from videojob_runner.errors import EncodingFailed
from videojob_runner.media.decode import probe_audio_codec, probe_video
from videojob_runner.media.ffmpeg import QUIET, ffmpeg_path, input_arguments, tail

MP4_CODECS: Final = ("aac", "ac3", "alac", "eac3", "mp3", "opus")
"""Codecs that go into the mp4 as they are."""
_TO_AAC: Final = ("aac", "-b:a", "192k", "-flags:a", "+bitexact")


def copy_audio(video: Path, source: Path, target: Path) -> bool:
    """
    Writes `video` with the first sound track of `source` to `target`, which may be `video` itself.

    False: `source` is silent, and `target` is a copy of `video`. Raises BadInput for a missing or unreadable file,
    EncodingFailed with ffmpeg's last words, and then leaves `target` as it was.
    """
    codec, seconds = probe_audio_codec(source), probe_video(video).seconds
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.part")
    sound = () if codec is None else ("-t", f"{seconds:.3f}", *input_arguments(source))
    tracks = () if codec is None else ("-map", "1:a:0", "-c:a", *(("copy",) if codec in MP4_CODECS else _TO_AAC))
    command = [
        *(ffmpeg_path(), *QUIET, "-y", *input_arguments(video), *sound),
        *("-map", "0:v:0", "-c:v", "copy", *tracks, "-map_metadata", "0", "-fflags", "+bitexact"),
        *("-movflags", "+faststart", "-f", "mp4", f"file:{part}"),
    ]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
        if done.returncode != 0:
            said = tail(done.stderr.decode(errors="replace"))
            raise EncodingFailed(f"the audio of {source.name!r} could not be added: {said}")
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    return codec is not None
