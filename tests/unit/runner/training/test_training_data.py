"""Data: an order that can be resumed, clips on disk that come back as they were, transforms that treat them alike."""

from __future__ import annotations

import json
import pickle
from itertools import islice
from pathlib import Path
from typing import Any

import h5py
import imageio_ffmpeg
import numpy as np
import numpy.typing as npt
import pytest
import torch
from videojob_runner.training.data.clip_dataset import (
    ClipDataset,
    WindowDataset,
    fixed_window,
    random_window,
    split_indices,
    spread_frames,
)
from videojob_runner.training.data.decode import UndecodableVideo, decode_video, probe_video
from videojob_runner.training.data.hdf5 import ClipShards, write_shards
from videojob_runner.training.data.loader import BatchLoader
from videojob_runner.training.data.sampler import Draw, ResumableSampler
from videojob_runner.training.data.synthetic import bouncing_discs, wrapping_disc
from videojob_runner.training.data.transforms import (
    compose,
    random_channel_order,
    random_crop,
    random_horizontal_flip,
    random_quarter_turns,
    resize,
    to_symmetric_range,
    to_unit_range,
)
from videojob_runner.training.data.video_array import DamagedArray, VideoArray

from tests.unit.runner.training.toy_training import ToyData

Bytes = npt.NDArray[np.uint8]
NO_RANDOM = np.random.default_rng(0)


def indices(sampler: ResumableSampler, batches: int, position: int = 0) -> list[int]:
    return [draw.index for batch in islice(sampler.batches(position), batches) for draw in batch]


class TestResumableSampler:
    @pytest.mark.parametrize(("size", "batch_size"), [(20, 8), (7, 7), (5, 16), (12, 1)])
    def test_every_index_comes_once_in_each_epoch(self, size: int, batch_size: int) -> None:
        drawn = indices(ResumableSampler(size, batch_size=batch_size, seed=1), 3 * size)
        for epoch in range(3):
            assert sorted(drawn[epoch * size : (epoch + 1) * size]) == list(range(size))

    def test_epochs_have_different_orders_and_seeds_too(self) -> None:
        sampler, other = (ResumableSampler(50, batch_size=50, seed=seed) for seed in (1, 2))
        first, second = indices(sampler, 1), indices(sampler, 2)[50:]
        assert first != second != list(range(50))
        assert indices(other, 1) != first

    def test_going_to_a_position_is_the_same_as_iterating(self) -> None:
        sampler = ResumableSampler(20, batch_size=8, seed=1)
        whole = list(islice(sampler.batches(), 30))
        for step in range(25):
            assert next(sampler.batches(step * 8)) == whole[step]

    def test_processes_share_each_batch_of_one(self) -> None:
        alone = ResumableSampler(20, batch_size=8, seed=1)
        parts = [ResumableSampler(20, batch_size=8, seed=1, rank=rank, world_size=4) for rank in range(4)]
        for whole, *shares in islice(zip(alone.batches(), *(p.batches() for p in parts), strict=True), 12):
            assert [draw for share in shares for draw in share] == whole

    def test_draws_of_one_index_have_other_seeds_in_other_epochs(self) -> None:
        draws = [draw for batch in islice(ResumableSampler(4, batch_size=4, seed=1).batches(), 6) for draw in batch]
        assert len({draw.seed for draw in draws}) == 24

    def test_batches_that_cannot_be_shared_are_refused(self) -> None:
        with pytest.raises(ValueError, match="batch_size: 8 is not a positive multiple of the 3 processes"):
            ResumableSampler(20, batch_size=8, seed=1, world_size=3)
        with pytest.raises(ValueError, match="empty"):
            ResumableSampler(0, batch_size=8, seed=1)

    def test_another_size_is_refused_when_resuming(self) -> None:
        state = ResumableSampler(20, batch_size=8, seed=1).state_dict(80)
        with pytest.raises(ValueError, match="size 20, this one 21"):
            ResumableSampler(21, batch_size=8, seed=1).load_state_dict(state)


class TestBatchLoader:
    def test_it_counts_what_it_hands_out_and_goes_on_from_there(self) -> None:
        whole: BatchLoader[torch.Tensor] = BatchLoader(ToyData(), ResumableSampler(20, batch_size=8, seed=1))
        expected = list(islice(whole.batches(), 5))
        assert whole.state_dict()["position"] == 40
        rest: BatchLoader[torch.Tensor] = BatchLoader(ToyData(), ResumableSampler(20, batch_size=8, seed=1))
        rest.load_state_dict({**whole.state_dict(), "position": 16})
        assert all(torch.equal(a, b) for a, b in zip(islice(rest.batches(), 3), expected[2:], strict=True))

    def test_workers_that_load_ahead_do_not_count(self) -> None:
        loader: BatchLoader[torch.Tensor] = BatchLoader(
            ToyData(), ResumableSampler(20, batch_size=4, seed=1), workers=1
        )
        batches = loader.batches()
        next(batches)
        assert loader.state_dict()["position"] == 4

    def test_it_draws_nothing_from_the_global_generator(self) -> None:
        state = torch.get_rng_state()
        next(BatchLoader(ToyData(), ResumableSampler(20, batch_size=4, seed=1)).batches())
        assert torch.equal(torch.get_rng_state(), state)


def two_clips() -> list[tuple[str, Bytes]]:
    rng = np.random.default_rng(5)
    return [(name, rng.integers(0, 256, (length, 6, 4, 3), dtype=np.uint8)) for name, length in (("a", 3), ("b", 5))]


class TestVideoArray:
    def test_clips_come_back_as_they_were(self, tmp_path: Path) -> None:
        clips = two_clips()
        written = VideoArray.write(tmp_path / "data", clips, about={"source": "random"})
        opened = VideoArray.open(tmp_path / "data", verify=True)
        assert [entry.name for entry in opened.clips] == ["a", "b"]
        assert all(np.array_equal(opened.clip(index), frames) for index, (_, frames) in enumerate(clips))
        assert opened.digest == written.digest
        assert opened.about == {"source": "random"}
        assert isinstance(opened.frames, np.memmap)

    def test_the_digest_follows_frames_and_cuts(self, tmp_path: Path) -> None:
        (_, first), (_, second) = two_clips()
        changed = second.copy()
        changed[-1, -1, -1, -1] ^= 1
        variants: list[list[tuple[str, Any]]] = [
            [("a", first), ("b", second)],
            [("a", first), ("b", changed)],
            [("a", first), ("c", second)],
            [("a", np.concatenate([first, second]))],
        ]
        digests = [VideoArray.write(tmp_path / str(i), clips).digest for i, clips in enumerate(variants)]
        assert len(set(digests)) == 4
        assert VideoArray.write(tmp_path / "again", variants[0]).digest == digests[0]

    def test_an_unfinished_or_cut_array_is_refused(self, tmp_path: Path) -> None:
        VideoArray.write(tmp_path, two_clips())
        frames = tmp_path / "frames.u8"
        frames.write_bytes(frames.read_bytes()[:-1])
        with pytest.raises(DamagedArray, match="575 bytes, 576 by the manifest"):
            VideoArray.open(tmp_path)
        (tmp_path / "manifest.json").unlink()
        with pytest.raises(DamagedArray, match="cannot be read"):
            VideoArray.open(tmp_path)

    def test_a_changed_byte_is_found_when_verified(self, tmp_path: Path) -> None:
        VideoArray.write(tmp_path, two_clips())
        content = bytearray((tmp_path / "frames.u8").read_bytes())
        content[7] ^= 1
        (tmp_path / "frames.u8").write_bytes(content)
        VideoArray.open(tmp_path)
        with pytest.raises(DamagedArray, match="sha256"):
            VideoArray.open(tmp_path, verify=True)

    def test_an_interrupted_rewrite_leaves_no_manifest(self, tmp_path: Path) -> None:
        VideoArray.write(tmp_path, two_clips())
        with pytest.raises(ValueError, match=r"clip 'b': a frame is uint8 \[2, 2, 3\]"):
            VideoArray.write(tmp_path, [("a", two_clips()[0][1]), ("b", np.zeros((1, 2, 2, 3), np.uint8))])
        assert not (tmp_path / "manifest.json").exists()

    @pytest.mark.parametrize(
        ("clips", "message"),
        [
            ([], "no clips"),
            ([("a", [])], "no frames"),
            ([("a", np.zeros((1, 2, 2, 3), np.float32))], "float32"),
            ([("a", np.zeros((1, 2, 2, 3), np.uint8))] * 2, "two of them"),
        ],
    )
    def test_what_is_no_array_of_clips_is_refused(self, tmp_path: Path, clips: Any, message: str) -> None:
        with pytest.raises(ValueError, match=message):
            VideoArray.write(tmp_path, clips)

    def test_another_format_is_refused(self, tmp_path: Path) -> None:
        VideoArray.write(tmp_path, two_clips())
        document = json.loads((tmp_path / "manifest.json").read_text())
        (tmp_path / "manifest.json").write_text(json.dumps({**document, "format": 2}))
        with pytest.raises(DamagedArray, match="format 2 instead of 1"):
            VideoArray.open(tmp_path)


class TestClipDatasets:
    def test_a_clip_dataset_has_a_sample_for_each_clip(self, tmp_path: Path) -> None:
        array = VideoArray.write(tmp_path, two_clips())
        dataset = ClipDataset(array, fixed_window(2, stride=2), to_unit_range)
        assert len(dataset) == 2
        sample = dataset[Draw(1, 0)]
        torch.testing.assert_close(sample, torch.from_numpy(array.clip(1)[[0, 2]]).permute(0, 3, 1, 2) / 255)

    def test_a_window_dataset_has_every_window_once(self, tmp_path: Path) -> None:
        array = VideoArray.write(tmp_path, [*two_clips(), ("c", np.zeros((1, 6, 4, 3), np.uint8))])
        dataset = WindowDataset(array, frames=2, stride=2, transform=lambda clip, rng: clip)
        assert [dataset.locate(index) for index in range(len(dataset))] == [(0, 0), (1, 0), (1, 1), (1, 2)]
        assert np.array_equal(dataset[Draw(3, 0)].permute(0, 2, 3, 1).numpy(), array.clip(1)[[2, 4]])

    def test_clips_that_are_all_too_short_are_refused(self, tmp_path: Path) -> None:
        array = VideoArray.write(tmp_path, two_clips())
        with pytest.raises(ValueError, match="no clip has the 7 frames that 3 frames 3 apart need"):
            WindowDataset(array, frames=3, stride=3, transform=to_unit_range)
        with pytest.raises(ValueError, match="a clip has 3 frames, but a sample needs 4"):
            ClipDataset(array, fixed_window(4), to_unit_range)[Draw(0, 0)]

    def test_every_start_of_a_random_window_is_possible_also_the_last(self) -> None:
        rng = np.random.default_rng(0)
        starts = {int(random_window(3, stride=2)(8, rng)[0]) for _ in range(200)}
        assert starts == {0, 1, 2, 3}
        assert random_window(3)(3, rng).tolist() == [0, 1, 2]

    def test_spread_frames_frames_have_both_ends(self) -> None:
        assert spread_frames(4)(10, NO_RANDOM).tolist() == [0, 3, 6, 9]
        assert spread_frames(4)(2, NO_RANDOM).tolist() == [0, 0, 1, 1]

    def test_one_draw_is_one_sample_whoever_loads_it(self, tmp_path: Path) -> None:
        array = VideoArray.write(tmp_path, two_clips())
        dataset = ClipDataset(array, random_window(2), compose(random_horizontal_flip(), to_unit_range))
        assert torch.equal(dataset[Draw(1, 7)], dataset[Draw(1, 7)])
        assert len({dataset[Draw(1, seed)].sum().item() for seed in range(20)}) > 2

    def test_parts_are_disjoint_and_complete(self) -> None:
        train, test = split_indices(25, [0.9, 0.1], seed=1)
        assert (len(train), len(test)) == (23, 2)
        assert sorted(train + test) == list(range(25))
        assert split_indices(25, [0.9, 0.1], seed=2) != [train, test]
        with pytest.raises(ValueError, match="sum up to 1"):
            split_indices(5, [0.5, 0.6], seed=1)


class TestTransforms:
    def test_ranges(self) -> None:
        values = torch.tensor([0, 127, 255], dtype=torch.uint8)
        assert to_unit_range(values, NO_RANDOM).tolist() == pytest.approx([0, 127 / 255, 1])
        assert to_symmetric_range(values, NO_RANDOM).tolist() == pytest.approx([-1, -1 / 255, 1], abs=1e-7)

    def test_a_centre_crop_keeps_the_middle_and_a_squash_keeps_all(self) -> None:
        clip = torch.zeros(2, 3, 8, 16, dtype=torch.uint8)
        clip[..., 8:] = 200
        cropped = resize(4, 4)(clip, NO_RANDOM)
        squashed = resize(4, 4, mode="squash")(clip, NO_RANDOM)
        assert cropped.shape == squashed.shape == (2, 3, 4, 4)
        assert cropped[0, 0, 0, [0, 3]].tolist() == squashed[0, 0, 0, [0, 3]].tolist() == [0, 200]
        assert resize(6, 5)(clip, NO_RANDOM).shape == (2, 3, 6, 5)

    def test_the_right_size_is_left_alone(self) -> None:
        clip = torch.randint(0, 256, (2, 3, 5, 7), dtype=torch.uint8)
        assert resize(5, 7)(clip, NO_RANDOM) is clip

    @pytest.mark.parametrize(
        "transform",
        [random_crop(4, 4), random_horizontal_flip(), random_quarter_turns, random_channel_order],
        ids=["crop", "flip", "turns", "channels"],
    )
    def test_all_frames_are_changed_alike_and_nothing_is_made_up(self, transform: Any) -> None:
        frame = torch.arange(3 * 6 * 6, dtype=torch.uint8).reshape(1, 3, 6, 6)
        results = [transform(frame.repeat(3, 1, 1, 1), np.random.default_rng(seed)) for seed in range(20)]
        for result in results:
            assert torch.equal(result[0], result[1]) and torch.equal(result[0], result[2])
            assert set(result[0].flatten().tolist()) <= set(range(108))
        assert len({bytes(result.contiguous().numpy().tobytes()) for result in results}) > 1

    def test_a_crop_larger_than_the_frames_is_refused(self) -> None:
        with pytest.raises(ValueError, match="frames of 2 × 2 have no part of 4 × 4"):
            random_crop(4, 4)(torch.zeros(1, 3, 2, 2), NO_RANDOM)


class TestHdf5:
    def test_clips_come_back_as_they_were_over_several_shards(self, tmp_path: Path) -> None:
        rng = np.random.default_rng(1)
        clips = [rng.integers(0, 256, (length, 4, 6, 3), dtype=np.uint8) for length in (1, 12, 3, 2, 4)]
        shards = write_shards(tmp_path / "train", clips, clips_per_shard=2)
        assert [shard.name for shard in shards] == ["shard_0001.hdf5", "shard_0002.hdf5", "shard_0003.hdf5"]
        found = ClipShards(tmp_path / "train")
        assert [len(found.clip(index)) for index in range(len(found))] == [1, 12, 3, 2, 4]
        for index, clip in enumerate(clips):
            assert np.array_equal(found.clip(index)[np.arange(len(clip))], clip)
        found.close()

    def test_the_layout_is_the_published_one(self, tmp_path: Path) -> None:
        (shard,) = write_shards(tmp_path / "train", [np.full((11, 2, 3, 3), 7, np.uint8)])
        with h5py.File(shard) as file:
            assert sorted(file) == ["0", "len", "videos"]
            assert len(file["videos"]) == 0
            assert file["len/0"].dtype == np.int64 and file["len/0"][()] == 11
            assert sorted(file["0"], key=int) == [str(index) for index in range(11)]
            frame = file["0/10"]
            assert (frame.shape, frame.dtype, frame.compression) == ((2, 3, 3), np.uint8, "lzf")
            assert not file.attrs and not frame.attrs

    def test_a_shard_without_clips_is_accepted(self, tmp_path: Path) -> None:
        write_shards(tmp_path / "train", [np.zeros((2, 2, 2, 3), np.uint8)])
        with h5py.File(tmp_path / "train" / "shard_0002.hdf5", "w") as file:
            file.create_group("len")
            file.create_group("videos")
        assert len(ClipShards(tmp_path / "train")) == 1
        assert len(ClipShards(tmp_path / "train" / "shard_0001.hdf5")) == 1

    def test_it_is_a_source_of_datasets_also_in_another_process(self, tmp_path: Path) -> None:
        discs = bouncing_discs(3, 6, seed=1, side=8, radius=1.5)
        write_shards(tmp_path / "train", discs.frames)
        shards = ClipShards(tmp_path / "train")
        shards.clip(0)
        copy = pickle.loads(pickle.dumps(shards))
        sample = ClipDataset(copy, fixed_window(3, start=2), to_unit_range)[Draw(2, 0)]
        torch.testing.assert_close(sample, torch.from_numpy(discs.frames[2, 2:5]).permute(0, 3, 1, 2) / 255)

    def test_what_is_no_clip_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match=r"clip 1 of shard_0001\.hdf5 has no frames"):
            write_shards(tmp_path / "a", [np.zeros((1, 2, 2, 3), np.uint8), []])
        with pytest.raises(ValueError, match="no clips"):
            write_shards(tmp_path / "b", [])
        with pytest.raises(FileExistsError):
            write_shards(tmp_path / "a", [])
        with pytest.raises(FileNotFoundError, match="no file"):
            ClipShards(tmp_path / "b")


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve frames of 64 × 48 that become brighter by 20 each."""
    path = tmp_path_factory.mktemp("video") / "clip.mp4"
    writer = imageio_ffmpeg.write_frames(str(path), (64, 48), fps=12, quality=9, macro_block_size=1)
    writer.send(None)
    for index in range(12):
        writer.send(np.full((48, 64, 3), 20 * index, np.uint8))
    writer.close()
    return path


class TestDecoding:
    def test_frames_come_in_their_order_and_size(self, video: Path) -> None:
        frames = list(decode_video(video))
        assert len(frames) == 12
        assert {frame.shape for frame in frames} == {(48, 64, 3)}
        assert [round(float(frame.mean())) for frame in frames] == pytest.approx([20 * i for i in range(12)], abs=4)

    def test_every_third_frame_smaller_and_not_all(self, video: Path) -> None:
        frames = list(decode_video(video, every=3, size=(24, 16), max_frames=3))
        assert [frame.shape for frame in frames] == [(24, 16, 3)] * 3
        assert [float(frame.mean()) for frame in frames] == pytest.approx([0, 60, 120], abs=4)

    def test_the_file_says_what_it_is(self, video: Path) -> None:
        info = probe_video(video)
        assert (info.height, info.width, info.fps, info.frames) == (48, 64, 12.0, 12)

    @pytest.mark.parametrize("content", [b"", b"no video at all"])
    def test_what_is_no_video_is_refused_by_name(self, tmp_path: Path, content: bytes) -> None:
        path = tmp_path / "holiday.mp4"
        path.write_bytes(content)
        with pytest.raises(UndecodableVideo, match=r"holiday\.mp4"):
            list(decode_video(path))
        with pytest.raises(UndecodableVideo, match=r"holiday\.mp4"):
            probe_video(path)


class TestSyntheticClips:
    def test_discs_stay_inside_move_evenly_and_are_where_they_are_said_to_be(self) -> None:
        discs = bouncing_discs(20, 30, seed=1)
        assert discs.frames.shape == (20, 30, 32, 32, 3)
        assert discs.centers.min() >= 4 and discs.centers.max() <= 27
        steps = np.linalg.norm(np.diff(discs.centers, axis=1), axis=-1)
        assert steps.max() <= 2.0 + 1e-9
        weight = discs.frames[..., 0].astype(float)
        found = (weight.sum(-2) * np.arange(32)).sum(-1) / weight.sum((-2, -1))
        assert np.abs(found - discs.centers[..., 0]).max() < 0.2

    def test_a_copied_frame_predicts_as_badly_as_published(self) -> None:
        """18.19 dB after one frame and 11.17 after eight, for the data set of the Neural SDE's small configuration."""
        frames = bouncing_discs(64, 20, seed=3).frames.astype(float) / 255
        for horizon, decibels in ((1, 18.19), (8, 11.17)):
            errors = ((frames[:, 3 + horizon] - frames[:, 3]) ** 2).mean((1, 2, 3))
            assert (-10 * np.log10(errors)).mean() == pytest.approx(decibels, abs=0.7)

    def test_a_wrapping_disc_leaves_and_enters(self) -> None:
        disc = wrapping_disc(40)
        assert disc.centers.shape == (1, 40, 2)
        areas = disc.frames.astype(float).sum((2, 3, 4)) / 255 / 3
        assert areas == pytest.approx(np.pi * (0.16 * 32) ** 2, rel=0.05)
