"""The model, storage and events of frames, shared by all packages of the service."""
