"""The paper's sentences put to the test. Reads files only; never imports torch."""
