"""The plumbing that the services share: processes, storage, events, calls, identity, audit.

It knows no domain noun, reads no environment outside `settings` and imports no service.
"""
