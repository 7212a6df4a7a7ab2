"""Creates what services need before they start: keys, certificates, database roles and schemas,
NATS streams and the vehicle register. Also checks the model files before Triton starts."""
