"""What each camera is processed for: its configuration, and the engine that runs its rules."""
