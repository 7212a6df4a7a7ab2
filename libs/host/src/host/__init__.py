"""The process of a service: its start and ordered stop, and what it does beside its calls.

`runtime` starts it, `outbox` publishes its events, `consumer` takes those of others, `scheduler`
does its durable work, `broker` is its connection to NATS.
"""
