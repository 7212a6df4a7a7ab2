"""Citizens' reports: submitted once by an app, routed, processed by a deadline and answered."""
