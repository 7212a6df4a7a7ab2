"""What a mesh needs before it starts: keys, certificates, roles, streams, models, vehicles."""
