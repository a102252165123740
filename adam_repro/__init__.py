"""Reproduction of *Adam: A Method for Stochastic Optimization* (Kingma & Ba, arXiv 1412.6980v9)."""

__version__ = "0.1.0"
