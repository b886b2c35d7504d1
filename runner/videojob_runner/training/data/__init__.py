"""Training data: clips on disk, their decoding and transforms, and an order of samples that can be resumed."""
