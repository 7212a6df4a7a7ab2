"""The gRPC services, which only convert between messages and use cases."""
