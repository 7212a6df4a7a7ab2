"""The contracts of this service, one module for each gRPC service: proto to use case to proto."""
