"""The domain rules: pure, without a clock or I/O except reading the packaged tables of the law."""
