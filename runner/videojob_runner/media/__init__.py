"""Images and videos: frames on disk, mp4 encoding, title cards and contact sheets. Independent of engines."""
