"""Proto to use case to proto, nothing else."""
