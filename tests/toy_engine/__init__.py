"""An engine with two tasks, as one folder: `train` fits a line to points, `generate` shows it in five frames."""
