"""The latent: how it begins and how it is optimized."""
