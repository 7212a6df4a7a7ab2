"""The commands of `tartip`: one module for each."""
