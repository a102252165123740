"""Any trials beside each other: `lines` makes lines of a frame, `draw` draws them, `paper` the paper's."""
