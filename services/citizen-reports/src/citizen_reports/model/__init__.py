"""The domain rules: pure, without a clock or I/O except reading the legal tables of `law`."""
