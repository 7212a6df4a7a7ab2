"""The decisions about cameras: each method makes one decision in one transaction."""
