"""The networks together: from a latent to the loss, within the memory there is."""
