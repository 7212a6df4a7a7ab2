"""Golden probes: pictures with known content, sent at intervals through the models that are in
use."""
