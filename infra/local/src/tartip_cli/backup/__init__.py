"""Creates and restores backups of a mesh. A backup is one encrypted file with everything that is
needed to run the mesh from a new, empty data folder."""
