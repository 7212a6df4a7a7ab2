"""What a mesh finds at its start: keys, certificates, roles, streams, models, vehicles."""
