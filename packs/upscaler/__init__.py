"""The recipe of the built-in pack `shapes-upscaler`: a small network of ESRGAN's family for the shapes world."""
