"""From image to video: camera, motion, smoothing, source frames, style transfer."""
