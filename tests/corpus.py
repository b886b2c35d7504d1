"""
Manifests, good and bad, each with a sentence as its name: the models and the real API server must judge them alike.

A case shows only what differs from `BASE`: paths into the manifest and their new values, `ABSENT` for a field to leave
out. A bad case also names the field that must be blamed, and a word that the message must hold.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

ABSENT = object()
"""In the place of a value: the field is left out."""

Manifest = dict[str, Any]

BASE: Manifest = {
    "apiVersion": "videojobs.dev/v1alpha1",
    "kind": "VideoJob",
    "metadata": {"name": "sunset"},
    "spec": {
        "pipeline": {"vqganClip": {"video": {"prompts": "sunset over the sea", "frames": 120}}},
        "output": {"s3": {"bucket": "art"}},
        "runner": {"resources": {"limits": {"nvidia.com/gpu": 1}}},
    },
}


def with_edits(manifest: Manifest, edits: dict[str, Any]) -> Manifest:
    """A copy of `manifest` with each path of `edits`, like `spec.encoding.fps`, set to its value; parents are made."""
    new = copy.deepcopy(manifest)
    for path, value in edits.items():
        *parents, last = path.split(".")
        place: Any = new
        for name in parents:
            place = place[int(name)] if isinstance(place, list) else place.setdefault(name, {})
        if value is ABSENT:
            del place[last]
        else:
            place[last] = copy.deepcopy(value)
    return new


@dataclass(frozen=True)
class InvalidCase:
    """What is wrong, whom to blame for it, and a word of the message."""

    edits: dict[str, Any]
    field: str
    says: str


CUSTOM = {"spec.pipeline": {"custom": {}}, "spec.runner.image": "example.com/mine:1"}
CPU = {"spec.runner": {"accelerator": "None"}}
NOTE = {"path": "note.txt", "inline": "hello"}
VQGAN_CLIP = "spec.pipeline.vqganClip"
VIDEO = f"{VQGAN_CLIP}.video"
STYLE: dict[str, Any] = {
    VQGAN_CLIP: {"styleTransfer": {"prompts": "oil painting", "source": "film"}},
    "spec.inputs": [NOTE | {"path": "film"}],
}

VALID_CASES: dict[str, dict[str, Any]] = {
    "the shortest video": {},
    "one picture": {VQGAN_CLIP: {"image": {"prompts": "a red circle", "saveEvery": 10}}},
    "every knob of a video": {
        f"{VQGAN_CLIP}.width": 4096,
        f"{VQGAN_CLIP}.seed": 0,
        f"{VQGAN_CLIP}.start": "gray",
        f"{VQGAN_CLIP}.cutMethod": "original",
        f"{VQGAN_CLIP}.cutPower": 0.5,
        f"{VQGAN_CLIP}.compat": "upstream",
        f"{VIDEO}.changePromptsOnFrame": [1, 60, 120],
        f"{VIDEO}.zoom": 1,
        f"{VIDEO}.shiftX": -4096,
        f"{VIDEO}.rotate": -0.5,
        f"{VIDEO}.smoother": {"length": 99, "alpha": 0},
    },
    "a picture from a picture": {
        VQGAN_CLIP: {"image": {"imagePrompts": "style.png:0.5"}},
        "spec.inputs": [NOTE | {"path": "style.png"}],
    },
    "the command line's augmentations": {
        f"{VQGAN_CLIP}.cutMethod": "latest",
        f"{VQGAN_CLIP}.augments": ["Af", "Pe", "Ji", "Er", "Ts", "Ts"],
    },
    "another optimiser, and a rate that falls": {
        f"{VQGAN_CLIP}.optimizer": "AdamP",
        f"{VQGAN_CLIP}.adaptiveLearningRate": True,
    },
    "the proportions of a picture": {
        VQGAN_CLIP: {"image": {"prompts": "x"}, "initImage": "init.png", "fit": "aspect", "deterministic": True},
        "spec.inputs": [NOTE | {"path": "init.png"}],
    },
    "how it computes": {
        f"{VQGAN_CLIP}.precision": "bfloat16",
        f"{VQGAN_CLIP}.memory": {"viewsAtOnce": 1, "recompute": False},
    },
    "memory as it comes": {f"{VQGAN_CLIP}.memory": {}},
    "no augmentations at all": {f"{VQGAN_CLIP}.cutMethod": "nrupdated", f"{VQGAN_CLIP}.augments": []},
    "a start of noise that holds back": {
        f"{VQGAN_CLIP}.start": "pixels",
        f"{VQGAN_CLIP}.initWeight": 0,
        f"{VQGAN_CLIP}.initWeightMethod": "decay",
    },
    "all three kinds of prompts": {f"{VIDEO}.imagePrompts": "a.png | b.png:-1", f"{VIDEO}.noisePrompts": "7:0.1 ^ 8"},
    "noise alone": {VIDEO: {"noisePrompts": "123", "frames": 1}},
    "a timelapse as it is": {VQGAN_CLIP: {"timelapse": {"prompts": "a cat"}}},
    "every knob of a timelapse": {
        VQGAN_CLIP: {
            "timelapse": {
                "imagePrompts": "a.png",
                "iterations": 99_999,
                "learningRateGrowth": 1,
                "learningRateCap": 0.5,
                "inBetweens": 0,
                "boomerang": False,
                "title": "Sunrise: 2049",
                "titleSeconds": 0,
                "fadeSeconds": 1.25,
            }
        },
    },
    "a style transfer as it is": STYLE,
    "every knob of a style transfer": {
        VQGAN_CLIP: {
            "styleTransfer": {
                "prompts": "x ^ y",
                "source": "film.mp4",
                "sourceFps": 12.5,
                "frames": 100_000,
                "iterationsPerFrame": 10_000,
                "iterationsForFirstFrame": 0,
                "sourceWeight": 0,
                "sourceWeightFades": True,
                "sourceLayoutWeight": 0.5,
                "sourcePromptWeight": -100,
                "changePromptsOnFrame": [7, 700_000],
                "smoother": {"length": 3},
                "restyle": {"blend": 1, "previousPromptWeight": 0.5},
            }
        },
        "spec.inputs": [NOTE | {"path": "film.mp4"}],
    },
    "a style transfer of the layout alone": STYLE
    | {f"{VQGAN_CLIP}.styleTransfer.sourceLayoutWeight": 3, f"{VQGAN_CLIP}.styleTransfer.start": "gray"},
    "a source below an input": STYLE | {f"{VQGAN_CLIP}.styleTransfer.source": "film/part/1.mp4"},
    "a source that holds inputs": STYLE
    | {"spec.inputs": [NOTE | {"path": "film/0.pgm"}, NOTE | {"path": "film/1.pgm"}]},
    "a smoother as it is": {f"{VIDEO}.smoother": {}},
    "a prompt in any language": {f"{VIDEO}.prompts": "海の夕日 | Ölgemälde:0.5 ^ ☀️ 🌊"},
    "any container on the CPU": {
        "spec.pipeline": {
            "custom": {
                "command": ["/bin/sh", "-c"],
                "args": ["make it"],
                "env": [{"name": "COLOUR", "value": "red"}, {"name": "_EMPTY"}],
                "config": {"style": {"deep": [1, None, {"er": True}]}, "none": None, "": 0.5},
            }
        },
        "spec.runner": {"image": "example.com/mine:1", "accelerator": "None"},
    },
    "an accelerator of another maker": {"spec.runner.resources.limits": {"example.com/gpu": "2", "memory": "20Gi"}},
    "a test needs no accelerator": {"spec.runner": ABSENT, "spec.test": {"durationSeconds": 30}},
    "a test that must fail": {"spec.test": {"fail": True}},
    "inputs of all three kinds": {
        "spec.inputs": [
            {"path": "init.png", "s3": {"bucket": "art", "key": "seeds/init.png"}, "sha256": "0" * 64, "sizeBytes": 7},
            {"path": "data", "pvc": {"claimName": "ssv2", "subPath": "v2/…"}, "access": "Mount"},
            NOTE,
        ],
        f"{VQGAN_CLIP}.initImage": "init.png",
    },
    "thirty-two KiB of text": {"spec.inputs": [NOTE | {"inline": "x" * 32767}, {"path": "b", "inline": "x"}]},
    "an own service with a Secret": {
        "spec.output.s3": {
            "endpoint": "https://minio.example.com:9000",
            "region": "eu-central-1",
            "bucket": "art",
            "prefix": "videos/2026/",
            "credentials": {"secretName": "art-s3"},
        }
    },
    "http, which the operator may refuse later": {"spec.output.s3.endpoint": "http://10.99.0.1:7070"},
    "a claim, flat": {"spec.output": {"pvc": {"claimName": "videos", "subPath": "2026/may"}, "layout": "Flat"}},
    "packs of both origins": {
        "spec.inputs": [{"path": "packs", "pvc": {"claimName": "packs"}}],
        "spec.models": [
            {"role": "generator", "input": "packs/mine", "digest": "sha256:" + "a" * 64},
            {"role": "perceptor", "builtin": "shapes-clip"},
        ],
    },
    "a foreign program's packs, in roles of its own": CUSTOM
    | {
        "spec.inputs": [{"path": "packs/a", "pvc": {"claimName": "packs"}}],
        "spec.models": [{"role": "upscaler", "input": "packs/a"}],
    },
    "larger, smoother, with sound": {
        "spec.inputs": [{"path": "sounds", "pvc": {"claimName": "sounds"}}],
        "spec.models": [{"role": "upscaler", "builtin": "shapes-upscaler"}],
        "spec.post": [
            {"upscale": {"scale": 1.5, "tile": 32}},
            {"interpolate": {"fps": 25}},
            {"upscale": {}},
            {"audio": {"input": "sounds/song.mp3"}},
        ],
    },
    "no steps at all": {"spec.post": []},
    "everything of the pod": {
        "spec.pod": {
            "imagePullSecrets": ["registry"],
            "serviceAccountName": "painter",
            "nodeSelector": {"example.com/pool": "gpu", "empty": ""},
            "tolerations": [{"key": "gpu", "operator": "Exists"}],
            "affinity": {"nodeAffinity": {"anything": [1]}},
            "priorityClassName": "low",
            "runtimeClassName": "nvidia",
            "schedulerName": "other",
            "runAsUser": 1000,
            "scratch": {"size": "20Gi"},
            "shm": {"size": 1073741824},
            "terminationGracePeriodSeconds": 5,
        }
    },
    "limits of time and patience": {
        "spec.retry": {"limit": 0, "maxDisruptions": 0},
        "spec.checkpoint": {"intervalSeconds": 1},
        "spec.deadlines": {
            "pendingSeconds": 3600,
            "startSeconds": 10,
            "activeSeconds": 86400,
            "progressSeconds": 600,
            "publishSeconds": 60,
        },
        "spec.suspend": True,
        "spec.managedBy": "example.com/other",
    },
    "null is the same as nothing": {
        "spec.suspend": None,
        "spec.encoding": None,
        "spec.test": None,
        f"{VQGAN_CLIP}.seed": None,
        "spec.pod": {"nodeSelector": {"a": None}},
    },
    "the longest name": {"metadata.name": "a" * 52},
}

_TWO_NOTES = [NOTE, NOTE | {"inline": "again"}]
_MOUNTED_NOTE = NOTE | {"access": "Mount"}

INVALID_CASES: dict[str, InvalidCase] = {
    # names
    "a name without room for suffixes": InvalidCase({"metadata.name": "a" * 53}, "metadata.name", "52"),
    "a name with a dot": InvalidCase({"metadata.name": "sun.set"}, "metadata.name", "match"),
    "a field nobody knows": InvalidCase({"spec.colour": "red"}, "spec.colour", "unknown field"),
    "a field nobody knows, deep down": InvalidCase({f"{VIDEO}.frame": 3}, f"{VIDEO}.frame", "unknown field"),
    # pipeline
    "no pipeline": InvalidCase({"spec.pipeline": ABSENT}, "spec.pipeline", "equired"),
    "a pipeline of nothing": InvalidCase({"spec.pipeline": {}}, "spec.pipeline", "vqganClip"),
    "two pipelines": InvalidCase(
        CUSTOM | {VQGAN_CLIP: BASE["spec"]["pipeline"]["vqganClip"]}, "spec.pipeline", "exactly one"
    ),
    "a pipeline without a form": InvalidCase({VQGAN_CLIP: {"width": 64}}, VQGAN_CLIP, "exactly one"),
    "a picture and a video": InvalidCase({f"{VQGAN_CLIP}.image": {"prompts": "x"}}, VQGAN_CLIP, "image, video"),
    "a picture too narrow for any generator": InvalidCase({f"{VQGAN_CLIP}.width": 8}, f"{VQGAN_CLIP}.width", "16"),
    "a picture too high for any memory": InvalidCase({f"{VQGAN_CLIP}.height": 4097}, f"{VQGAN_CLIP}.height", "4096"),
    "a width in words": InvalidCase({f"{VQGAN_CLIP}.width": "256"}, f"{VQGAN_CLIP}.width", "integer"),
    "a seed below zero": InvalidCase({f"{VQGAN_CLIP}.seed": -1}, f"{VQGAN_CLIP}.seed", "0"),
    "a start nobody knows": InvalidCase({f"{VQGAN_CLIP}.start": "blue"}, f"{VQGAN_CLIP}.start", "gray"),
    "a learning rate of zero": InvalidCase(
        {f"{VQGAN_CLIP}.learningRate": 0}, f"{VQGAN_CLIP}.learningRate", "greater than 0"
    ),
    "a compatibility with nobody": InvalidCase(
        {f"{VQGAN_CLIP}.compat": "downstream"}, f"{VQGAN_CLIP}.compat", "upstream"
    ),
    "nothing to steer towards": InvalidCase({f"{VIDEO}.prompts": ABSENT}, VIDEO, "prompts, imagePrompts, noisePrompts"),
    "a picture of nothing": InvalidCase(
        {VQGAN_CLIP: {"image": {"iterations": 5}}}, f"{VQGAN_CLIP}.image", "at least one"
    ),
    "an empty picture prompt": InvalidCase({f"{VIDEO}.imagePrompts": ""}, f"{VIDEO}.imagePrompts", "1"),
    "a cut nobody knows": InvalidCase({f"{VQGAN_CLIP}.cutMethod": "updated"}, f"{VQGAN_CLIP}.cutMethod", "nrupdated"),
    "augmentations that would be forgotten": InvalidCase(
        {f"{VQGAN_CLIP}.augments": ["Af"]}, f"{VQGAN_CLIP}.augments", "latest"
    ),
    "an augmentation nobody knows": InvalidCase(
        {f"{VQGAN_CLIP}.cutMethod": "latest", f"{VQGAN_CLIP}.augments": ["Af", "af"]}, f"{VQGAN_CLIP}.augments[1]", "Ts"
    ),
    "a weight below zero": InvalidCase({f"{VQGAN_CLIP}.initWeight": -1}, f"{VQGAN_CLIP}.initWeight", "0"),
    "a way of weighing without a weight": InvalidCase(
        {f"{VQGAN_CLIP}.initWeightMethod": "decay"}, f"{VQGAN_CLIP}.initWeight", "how the weight acts"
    ),
    "a way of weighing that is another form's": InvalidCase(
        {f"{VQGAN_CLIP}.initWeight": 1, f"{VQGAN_CLIP}.initWeightMethod": "target"},
        f"{VQGAN_CLIP}.initWeightMethod",
        "decay",
    ),
    "an optimiser nobody knows": InvalidCase({f"{VQGAN_CLIP}.optimizer": "adam"}, f"{VQGAN_CLIP}.optimizer", "Adagrad"),
    "a precision nobody has": InvalidCase(
        {f"{VQGAN_CLIP}.precision": "float16"}, f"{VQGAN_CLIP}.precision", "bfloat16"
    ),
    "no cutout at a time": InvalidCase(
        {f"{VQGAN_CLIP}.memory": {"viewsAtOnce": 0}}, f"{VQGAN_CLIP}.memory.viewsAtOnce", "1"
    ),
    "the proportions of no picture": InvalidCase(
        {f"{VQGAN_CLIP}.fit": "aspect"}, f"{VQGAN_CLIP}.fit", "only with initImage"
    ),
    "an empty prompt": InvalidCase({f"{VIDEO}.prompts": ""}, f"{VIDEO}.prompts", "1"),
    "a prompt as long as a book": InvalidCase({f"{VIDEO}.prompts": "x" * 4097}, f"{VIDEO}.prompts", "4096"),
    "no frames": InvalidCase({f"{VIDEO}.frames": ABSENT}, f"{VIDEO}.frames", "equired"),
    "zero frames": InvalidCase({f"{VIDEO}.frames": 0}, f"{VIDEO}.frames", "1"),
    "two and a half frames": InvalidCase({f"{VIDEO}.frames": 2.5}, f"{VIDEO}.frames", "integer"),
    "a zoom that turns the picture inside out": InvalidCase({f"{VIDEO}.zoom": 0.1}, f"{VIDEO}.zoom", "0.5"),
    "a turn further than round": InvalidCase({f"{VIDEO}.rotate": 181}, f"{VIDEO}.rotate", "180"),
    "a smoother without a middle": InvalidCase({f"{VIDEO}.smoother": {"length": 4}}, f"{VIDEO}.smoother.length", "odd"),
    "a smoother longer than memory": InvalidCase(
        {f"{VIDEO}.smoother": {"length": 101}}, f"{VIDEO}.smoother.length", "99"
    ),
    "a smoother that adds more than there is": InvalidCase(
        {f"{VIDEO}.smoother": {"alpha": 1.5}}, f"{VIDEO}.smoother.alpha", "1"
    ),
    "two forms at once": InvalidCase({f"{VQGAN_CLIP}.timelapse": {"prompts": "x"}}, VQGAN_CLIP, "exactly one"),
    "a source that is no input": InvalidCase(
        STYLE | {f"{VQGAN_CLIP}.styleTransfer.source": "fil"}, f"{VQGAN_CLIP}.styleTransfer.source", "one of the inputs"
    ),
    "a style transfer from nothing": InvalidCase(
        STYLE | {f"{VQGAN_CLIP}.styleTransfer.source": ABSENT}, f"{VQGAN_CLIP}.styleTransfer.source", "equired"
    ),
    "a style transfer with another start": InvalidCase(
        STYLE | {f"{VQGAN_CLIP}.start": "gray"}, f"{VQGAN_CLIP}.start", "no place"
    ),
    "a style transfer that starts anew each time and from gray": InvalidCase(
        STYLE | {f"{VQGAN_CLIP}.styleTransfer.start": "gray", f"{VQGAN_CLIP}.styleTransfer.restyle": {}},
        f"{VQGAN_CLIP}.styleTransfer.start",
        "no place",
    ),
    "a style transfer with a start picture": InvalidCase(
        STYLE | {f"{VQGAN_CLIP}.initImage": "film"}, f"{VQGAN_CLIP}.initImage", "no place"
    ),
    "a style transfer with two weights": InvalidCase(
        STYLE | {f"{VQGAN_CLIP}.initWeight": 1}, f"{VQGAN_CLIP}.initWeight", "sourceWeight"
    ),
    "prompts of a style transfer that change backwards": InvalidCase(
        STYLE | {f"{VQGAN_CLIP}.styleTransfer.changePromptsOnFrame": [2, 2]},
        f"{VQGAN_CLIP}.styleTransfer.changePromptsOnFrame",
        "rise",
    ),
    "more of the frame before than there is": InvalidCase(
        STYLE | {f"{VQGAN_CLIP}.styleTransfer.restyle": {"blend": 1.5}},
        f"{VQGAN_CLIP}.styleTransfer.restyle.blend",
        "1",
    ),
    "a timelapse of nothing": InvalidCase({VQGAN_CLIP: {"timelapse": {}}}, f"{VQGAN_CLIP}.timelapse", "at least one"),
    "a timelapse that stands still": InvalidCase(
        {VQGAN_CLIP: {"timelapse": {"prompts": "x", "iterations": 0}}}, f"{VQGAN_CLIP}.timelapse.iterations", "1"
    ),
    "a card without a word": InvalidCase(
        {VQGAN_CLIP: {"timelapse": {"prompts": "x", "title": ""}}}, f"{VQGAN_CLIP}.timelapse.title", "1"
    ),
    "more blends than frames": InvalidCase(
        {VQGAN_CLIP: {"timelapse": {"prompts": "x", "inBetweens": 60}}}, f"{VQGAN_CLIP}.timelapse.inBetweens", "59"
    ),
    "prompts that change backwards": InvalidCase(
        {f"{VIDEO}.changePromptsOnFrame": [9, 3]}, f"{VIDEO}.changePromptsOnFrame", "rise"
    ),
    "prompts that change twice at once": InvalidCase(
        {f"{VIDEO}.changePromptsOnFrame": [3, 3]}, f"{VIDEO}.changePromptsOnFrame", "rise"
    ),
    "prompts that change after the end": InvalidCase(
        {f"{VIDEO}.changePromptsOnFrame": [121]}, f"{VIDEO}.changePromptsOnFrame", "frames"
    ),
    "prompts that change before the first frame": InvalidCase(
        {f"{VIDEO}.changePromptsOnFrame": [0]}, f"{VIDEO}.changePromptsOnFrame[0]", "1"
    ),
    "a start picture outside the inputs": InvalidCase(
        {f"{VQGAN_CLIP}.initImage": "../init.png"}, f"{VQGAN_CLIP}.initImage", "relative"
    ),
    "a start picture that nobody brings": InvalidCase(
        {f"{VQGAN_CLIP}.initImage": "note.tx", "spec.inputs": [NOTE]}, f"{VQGAN_CLIP}.initImage", "one of the inputs"
    ),
    "a foreign program without its image": InvalidCase({"spec.pipeline": {"custom": {}}}, "spec.runner.image", "needs"),
    "a variable with a dash": InvalidCase(
        CUSTOM | {"spec.pipeline.custom.env": [{"name": "NO-GO"}]}, "spec.pipeline.custom.env[0].name", "match"
    ),
    "a variable twice": InvalidCase(
        CUSTOM | {"spec.pipeline.custom.env": [{"name": "A"}, {"name": "A"}]}, "spec.pipeline.custom.env[1]", "A"
    ),
    "too many arguments": InvalidCase(
        CUSTOM | {"spec.pipeline.custom.args": ["x"] * 65}, "spec.pipeline.custom.args", "64"
    ),
    "a config that is no object": InvalidCase(
        CUSTOM | {"spec.pipeline.custom.config": [1]}, "spec.pipeline.custom.config", "object"
    ),
    # models
    "a pack from nowhere": InvalidCase({"spec.models": [{"role": "generator"}]}, "spec.models[0]", "builtin, input"),
    "a built-in pack nobody built": InvalidCase(
        {"spec.models": [{"role": "generator", "builtin": "imagenet"}]}, "spec.models", "shapes-vqgan"
    ),
    "two packs in one role": InvalidCase(
        {"spec.models": [{"role": "generator", "builtin": "shapes-vqgan"}, {"role": "generator", "input": "x"}]}
        | {"spec.inputs": [NOTE | {"path": "x"}]},
        "spec.models[1]",
        "generator",
    ),
    "a pack that is no input": InvalidCase(
        {"spec.models": [{"role": "generator", "input": "pack"}], "spec.inputs": [NOTE | {"path": "packs"}]},
        "spec.models",
        "inputs",
    ),
    "a pack in a role the pipeline does not have": InvalidCase(
        {"spec.models": [{"role": "clip", "builtin": "shapes-clip"}]}, "spec.models", "perceptor and upscaler"
    ),
    "a digest in capitals": InvalidCase(
        {"spec.models": [{"role": "generator", "builtin": "shapes-vqgan", "digest": "A" * 64}]},
        "spec.models[0].digest",
        "match",
    ),
    # inputs
    "an input from nowhere": InvalidCase({"spec.inputs": [{"path": "a"}]}, "spec.inputs[0]", "s3, pvc, inline"),
    "an input from two places": InvalidCase(
        {"spec.inputs": [NOTE | {"pvc": {"claimName": "a"}}]}, "spec.inputs[0]", "exactly one"
    ),
    "an input without a path": InvalidCase({"spec.inputs": [{"inline": "x"}]}, "spec.inputs[0].path", "equired"),
    "two inputs at one path": InvalidCase({"spec.inputs": _TWO_NOTES}, "spec.inputs[1]", "note.txt"),
    "an input in the place of config.json": InvalidCase(
        {"spec.inputs": [NOTE | {"path": "config.json"}]}, "spec.inputs[0].path", "config.json"
    ),
    "an input at an absolute path": InvalidCase(
        {"spec.inputs": [NOTE | {"path": "/etc"}]}, "spec.inputs[0].path", "relative"
    ),
    "an input that climbs": InvalidCase({"spec.inputs": [NOTE | {"path": "a/../b"}]}, "spec.inputs[0].path", "'..'"),
    "an input with an empty part": InvalidCase(
        {"spec.inputs": [NOTE | {"path": "a//b"}]}, "spec.inputs[0].path", "empty"
    ),
    "an input with an end of line": InvalidCase(
        {"spec.inputs": [NOTE | {"path": "a\nb"}]}, "spec.inputs[0].path", "control"
    ),
    "an input whose name turns round": InvalidCase(
        {"spec.inputs": [NOTE | {"path": "a\u202egnp.exe"}]}, "spec.inputs[0].path", "control"
    ),
    "a mounted text": InvalidCase({"spec.inputs": [_MOUNTED_NOTE]}, "spec.inputs[0].access", "pvc"),
    "a wrong sort of access": InvalidCase(
        {"spec.inputs": [NOTE | {"access": "Link"}]}, "spec.inputs[0].access", "Copy"
    ),
    "more text than fits": InvalidCase({"spec.inputs": [NOTE | {"inline": "é" * 16385}]}, "spec.inputs", "32768"),
    "more inputs than fit": InvalidCase(
        {"spec.inputs": [NOTE | {"path": str(i)} for i in range(65)]}, "spec.inputs", "64"
    ),
    "a size below zero": InvalidCase({"spec.inputs": [NOTE | {"sizeBytes": -1}]}, "spec.inputs[0].sizeBytes", "0"),
    "a digest too short": InvalidCase({"spec.inputs": [NOTE | {"sha256": "abc"}]}, "spec.inputs[0].sha256", "match"),
    "a key that climbs": InvalidCase(
        {"spec.inputs": [{"path": "a", "s3": {"bucket": "art", "key": "../secret"}}]}, "spec.inputs[0].s3.key", "'..'"
    ),
    "an object without a key": InvalidCase(
        {"spec.inputs": [{"path": "a", "s3": {"bucket": "art"}}]}, "spec.inputs[0].s3.key", "equired"
    ),
    "an input that is nothing": InvalidCase({"spec.inputs": [None]}, "spec.inputs[0]", "object"),
    # output
    "no output": InvalidCase({"spec.output": ABSENT}, "spec.output", "equired"),
    "an output of null": InvalidCase({"spec.output": None}, "spec.output", "equired"),
    "an output to nowhere": InvalidCase({"spec.output": {}}, "spec.output", "s3, pvc"),
    "an output to two places": InvalidCase({"spec.output.pvc": {"claimName": "a"}}, "spec.output", "exactly one"),
    "a layout nobody knows": InvalidCase({"spec.output.layout": "Deep"}, "spec.output.layout", "PerRun"),
    "a bucket in capitals": InvalidCase({"spec.output.s3.bucket": "Art"}, "spec.output.s3.bucket", "match"),
    "a prefix that begins with a slash": InvalidCase(
        {"spec.output.s3.prefix": "/videos"}, "spec.output.s3.prefix", "relative"
    ),
    "a prefix that climbs": InvalidCase({"spec.output.s3.prefix": "videos/../"}, "spec.output.s3.prefix", "'..'"),
    "an endpoint without a scheme": InvalidCase(
        {"spec.output.s3.endpoint": "minio:9000"}, "spec.output.s3.endpoint", "match"
    ),
    "an endpoint with a path": InvalidCase(
        {"spec.output.s3.endpoint": "https://minio/art"}, "spec.output.s3.endpoint", "match"
    ),
    "an endpoint with a password": InvalidCase(
        {"spec.output.s3.endpoint": "https://me:pw@minio"}, "spec.output.s3.endpoint", "match"
    ),
    "a claim with a wrong name": InvalidCase(
        {"spec.output": {"pvc": {"claimName": "My Claim"}}}, "spec.output.pvc.claimName", "match"
    ),
    "a folder of the claim that climbs": InvalidCase(
        {"spec.output": {"pvc": {"claimName": "a", "subPath": ".."}}}, "spec.output.pvc.subPath", "'..'"
    ),
    # post
    "a step that is nothing": InvalidCase({"spec.post": [{}]}, "spec.post[0]", "upscale, interpolate, audio"),
    "a step that is two": InvalidCase(
        {"spec.post": [{"upscale": {}, "interpolate": {"fps": 60}}]}, "spec.post[0]", "exactly one"
    ),
    "a step nobody knows": InvalidCase(
        {"spec.post": [{"upscale": {}, "blur": {}}]}, "spec.post[0].blur", "unknown field"
    ),
    "frames as large as before": InvalidCase(
        {"spec.post": [{"upscale": {"scale": 1}}]}, "spec.post[0].upscale.scale", "greater than 1"
    ),
    "frames seventeen times as large": InvalidCase(
        {"spec.post": [{"upscale": {"scale": 17}}]}, "spec.post[0].upscale.scale", "16"
    ),
    "tiles smaller than what they share": InvalidCase(
        {"spec.post": [{"upscale": {"tile": 16}}]}, "spec.post[0].upscale.tile", "32"
    ),
    "interpolation to no rate": InvalidCase(
        {"spec.post": [{"interpolate": {}}]}, "spec.post[0].interpolate.fps", "equired"
    ),
    "interpolation to fewer frames": InvalidCase(
        {"spec.post": [{"upscale": {}}, {"interpolate": {"fps": 24}}]}, "spec.post", "more than encoding.fps"
    ),
    "two interpolations": InvalidCase(
        {"spec.post": [{"interpolate": {"fps": 48}}, {"interpolate": {"fps": 96}}]}, "spec.post", "at most one step"
    ),
    "two songs at once": InvalidCase(
        {"spec.post": [{"audio": {"input": "note.txt"}}] * 2, "spec.inputs": [NOTE]}, "spec.post", "may be audio"
    ),
    "a song that nobody brings": InvalidCase(
        {"spec.post": [{"audio": {"input": "song.mp3"}}], "spec.inputs": [NOTE]}, "spec.post", "one of the inputs"
    ),
    "a song outside the inputs": InvalidCase(
        {"spec.post": [{"audio": {"input": "note.txt/../song.mp3"}}], "spec.inputs": [NOTE]},
        "spec.post[0].audio.input",
        "relative",
    ),
    "steps after a foreign program": InvalidCase(
        CUSTOM | {"spec.post": [{"upscale": {}}]}, "spec.post", "pipeline.custom"
    ),
    "an upscaler without work": InvalidCase(
        {"spec.models": [{"role": "upscaler", "builtin": "shapes-upscaler"}]}, "spec.models", "a step upscale"
    ),
    "nine steps": InvalidCase({"spec.post": [{"upscale": {}}] * 9}, "spec.post", "8"),
    # runner and pod
    "real work without an accelerator": InvalidCase({"spec.runner": {}}, "spec.runner.resources.limits", "accelerator"),
    "only a CPU where an accelerator is required": InvalidCase(
        {"spec.runner.resources.limits": {"cpu": 4}}, "spec.runner.resources.limits", "nvidia.com/gpu"
    ),
    "an accelerator of another word": InvalidCase(
        {"spec.runner.accelerator": "Maybe"}, "spec.runner.accelerator", "Required"
    ),
    "an amount in words": InvalidCase(
        {"spec.runner.resources.limits.memory": "much"}, "spec.runner.resources.limits.memory", "match"
    ),
    "an amount below zero": InvalidCase(
        CPU | {"spec.runner.resources": {"requests": {"cpu": -1}}}, "spec.runner.resources.requests.cpu", ""
    ),
    "half a processor as a number": InvalidCase(
        {"spec.runner.resources.limits.cpu": 0.5}, "spec.runner.resources.limits.cpu", "string"
    ),
    "root as the user": InvalidCase({"spec.pod": {"runAsUser": 0}}, "spec.pod.runAsUser", "1"),
    "a label that is a number": InvalidCase(
        {"spec.pod": {"nodeSelector": {"a": 1}}}, "spec.pod.nodeSelector.a", "string"
    ),
    "a label no node can have": InvalidCase(
        {"spec.pod": {"nodeSelector": {"a": "-"}}}, "spec.pod.nodeSelector.a", "match"
    ),
    "a toleration that is a word": InvalidCase(
        {"spec.pod": {"tolerations": ["gpu"]}}, "spec.pod.tolerations[0]", "object"
    ),
    "scratch without a size": InvalidCase({"spec.pod": {"scratch": {}}}, "spec.pod.scratch.size", "equired"),
    # the rest
    "no time to be scheduled": InvalidCase(
        {"spec.deadlines": {"pendingSeconds": 1}}, "spec.deadlines.pendingSeconds", "10"
    ),
    "no time to publish": InvalidCase(
        {"spec.deadlines": {"publishSeconds": 59}}, "spec.deadlines.publishSeconds", "60"
    ),
    "sixty frames too many in a second": InvalidCase({"spec.encoding": {"fps": 300}}, "spec.encoding.fps", "240"),
    "a quality beyond the scale": InvalidCase({"spec.encoding": {"crf": 52}}, "spec.encoding.crf", "51"),
    "suspended by a word": InvalidCase({"spec.suspend": "yes"}, "spec.suspend", "boolean"),
    "more retries than sense": InvalidCase({"spec.retry": {"limit": 21}}, "spec.retry.limit", "20"),
    "a checkpoint at every instant": InvalidCase(
        {"spec.checkpoint": {"intervalSeconds": 0}}, "spec.checkpoint.intervalSeconds", "1"
    ),
    "a checkpoint less than once a day": InvalidCase(
        {"spec.checkpoint": {"intervalSeconds": 86_401}}, "spec.checkpoint.intervalSeconds", "86400"
    ),
    "a deadline before anything can start": InvalidCase(
        {"spec.deadlines": {"startSeconds": 1}}, "spec.deadlines.startSeconds", "10"
    ),
    "managed by nobody": InvalidCase({"spec.managedBy": ""}, "spec.managedBy", "1"),
}


def valid_manifest(name: str) -> Manifest:
    """The manifest of a good case."""
    return with_edits(BASE, VALID_CASES[name])


def invalid_manifest(name: str) -> Manifest:
    """The manifest of a bad case."""
    return with_edits(BASE, INVALID_CASES[name].edits)
