"""What a process tells about itself: spans, metrics and logs, and where they go."""
