"""The gRPC service that the bench measures. Each call reads one row by its key, or writes one row,
over TLS."""

from google.protobuf import descriptor_pb2, descriptor_pool, wrappers_pb2

SERVICE = "tartip.bench.v1.Notes"
# Takes a piece of a file and drops it; the bare sink alone has it.
SINK = f"/{SERVICE}/Take"
METHODS = ("Read", "Write", "WriteShared", "WriteByStatements")


def declare() -> None:
    """Add the service to this process's protobuf descriptor pool. The chassis looks up the methods
    of a service there."""
    text = f".{wrappers_pb2.StringValue.DESCRIPTOR.full_name}"
    package, _, name = SERVICE.rpartition(".")
    file = descriptor_pb2.FileDescriptorProto(
        name="tartip/bench/v1/notes.proto",
        package=package,
        dependency=[wrappers_pb2.DESCRIPTOR.name],
    )
    service = file.service.add(name=name)
    for method in METHODS:
        service.method.add(name=method, input_type=text, output_type=text)
    descriptor_pool.Default().Add(file)
