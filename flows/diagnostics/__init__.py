"""What `songform doctor` checks."""
