"""The infrastructure that all services share: storage, calls, identity, events and audit entries.

The package has no types of a service's domain, reads the environment only in `settings` and imports
no service. The code that runs a service's process is in `host`.
"""
