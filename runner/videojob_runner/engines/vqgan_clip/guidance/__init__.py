"""The networks combined: from a latent to the loss, within the available memory."""
