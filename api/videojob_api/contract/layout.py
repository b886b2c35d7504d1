"""Paths below the IO folder and their environment variables, shared by runner, agent and job plan."""

IO_PATH_VARIABLE = "VIDEO_IO_PATH"
IO_PATH = "/video_io"

CONFIG = "input/config.json"
INPUT = "input"
OUTPUT = "output"
FRAMES = "output/frames"
POST = "output/post"
"""Frames of steps after the engine, a folder for each: `1-upscale` and so on."""
ARTIFACTS = "output/artifacts"
"""A folder for each artifact."""
WORK = "work"
CHECKPOINTS = "checkpoints"
STATUS = "STATUS"
STATUS_JSON = "STATUS.json"
MANIFEST = "manifest.json"

ACKNOWLEDGEMENT_FILE = ".videojob/published.json"
"""Written by the agent after publishing, as `report.Acknowledgement`; a runner of ours waits for it after COMPLETED."""

FETCH_NOTE = ".videojob/fetch"
"""Human-readable line on what fetch waits for; written by fetch, reported by the agent until STATUS exists."""

AWAIT_PUBLISHED_VARIABLE = "VIDEOJOB_AWAIT_PUBLISHED"
"""Set to 1 on the runner in a pod: stay after COMPLETED until the acknowledgement says published or given up."""

PLAN_VARIABLE = "VIDEOJOB_PLAN"
"""The whole `plan.Plan` as JSON, at most 96 KiB, on fetch and agent."""

ACCELERATOR_VARIABLE = "VIDEOJOB_ACCELERATOR"
"""`Required` or `None`, from `spec.runner.accelerator`; absent means `None`."""

MODE_VARIABLE = "VIDEOJOB_MODE"
"""The mode the pod's runner is started in; the same words as `exec.py --mode`."""

TOKEN_PATH = "/var/run/secrets/videojob/token"  # noqa: S105 - a path, no secret
CA_VARIABLE = "VIDEOJOB_CA"
"""PEM of the authority behind the progress endpoint, on the agent."""
CREDENTIALS_ROOT = "/var/run/secrets/videojob/s3"
"""One folder for each Secret, named like it; on fetch and agent only."""
