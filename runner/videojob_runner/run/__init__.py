"""One job from configuration to video: environment, engine, steps after it, encoding."""
