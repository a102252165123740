"""A trial's directory: check it, train it, its metrics, checkpoint, provenance and callbacks."""
