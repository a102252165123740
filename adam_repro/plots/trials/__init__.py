"""Any trials beside each other: :mod:`lines` makes lines of a frame, :mod:`draw` draws them."""
