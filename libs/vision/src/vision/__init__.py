"""Pure seeing: the clock of a film or stream, what a file is, frames as people see them."""
