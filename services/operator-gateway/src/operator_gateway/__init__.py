"""The operators' edge: REST, live events and the console, in front of the services' RPCs."""
