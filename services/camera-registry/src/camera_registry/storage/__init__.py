"""All SQL of this service: cameras with their versions, and their heartbeats."""
