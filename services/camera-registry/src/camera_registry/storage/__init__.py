"""All SQL of this service: cameras with their versions, and the hubs that report on them."""
