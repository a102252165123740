"""From CSV to figures. Reads files only; never imports torch."""
