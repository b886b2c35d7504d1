"""Pictures and videos: frames on disk, the mp4 made of them, cards and contact sheets. Knows nothing of engines."""
