"""What is written by hand for speed, behind plain functions; README.md says what each one gains."""
