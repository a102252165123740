"""A trial's settings: their types, the composer that builds them, the validators."""
