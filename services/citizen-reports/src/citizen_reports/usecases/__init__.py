"""What can be done with a report: one method a decision, one visible transaction each."""
