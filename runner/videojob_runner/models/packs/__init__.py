"""Model packs: a folder with pack.json and safetensors files."""
