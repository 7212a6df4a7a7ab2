"""Builds the models that Triton serves: checks manifests, fetches packages, writes a repository."""
