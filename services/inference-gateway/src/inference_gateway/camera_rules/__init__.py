"""The AI functions configured for each camera, and the engine that runs their rules."""
