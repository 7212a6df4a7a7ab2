"""Rewrites the graphs of models taken from public packages into the form that is served."""
