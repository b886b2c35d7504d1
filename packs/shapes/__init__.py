"""
The "shapes" packs: a small VQGAN and a small CLIP, trained from nothing on drawn pictures.

Scenes are drawn (`renderer`) with known attributes (`vocabulary`) and described in words (`captions`). The VQGAN
learns to redraw them from tokens; the CLIP learns which words fit which picture, first easy scenes, then against
adversarial steps and against the pictures that its own guidance would produce, because a CLIP that is merely
accurate cannot steer. `train` runs the stages in order and `export` writes the packs.
"""
