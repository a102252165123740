"""Every drawing: the paper's figures, one trial, section 4. Reads files only; never imports torch."""
