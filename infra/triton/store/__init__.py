"""The model store: manifests are checked, packages fetched, a Triton repository written."""
