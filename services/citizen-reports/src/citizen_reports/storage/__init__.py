"""The only SQL of this service; what is personal is sealed and opened here and nowhere else."""
