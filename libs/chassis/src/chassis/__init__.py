"""The plumbing that the services share: storage, calls, identity, events and audit entries.

It knows no domain noun, reads no environment outside `settings` and imports no service. What runs a
service's process stands in `host`.
"""
