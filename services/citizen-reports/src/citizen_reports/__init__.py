"""Citizens' reports: handed in once by an app, routed, acted on by a deadline, answered."""
