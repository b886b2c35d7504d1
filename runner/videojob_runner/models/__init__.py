"""Model packs: folders with `pack.json` and safetensors, checked before loading, and the networks in them."""
