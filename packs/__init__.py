"""Self-trained model packs: the programs that make the weights which ship with the runner."""
