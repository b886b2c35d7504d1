"""The latent: initialization and optimization."""
