"""The process of a service: its start, its ordered stop and its background loops.

`runtime` starts the process, `outbox` publishes the service's events, `consumer` handles events of
other services, `scheduler` runs durable work, `broker` connects to NATS.
"""
