"""A figure's description: read and checked, and its trials planned; the paper's curves. No torch."""
