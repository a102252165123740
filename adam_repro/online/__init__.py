"""Online convex optimisation (section 4): regret, the theorems' bounds, the counterexamples."""
