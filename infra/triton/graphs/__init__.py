"""Rewrites the graphs of packaged models into the form that is served."""
