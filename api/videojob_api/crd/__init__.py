"""The CustomResourceDefinition, generated from the models: `python -m videojob_api.crd` prints it."""
