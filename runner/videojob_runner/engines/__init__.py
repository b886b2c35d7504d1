"""One folder for each engine; engines know the contract, media and models, never each other."""
