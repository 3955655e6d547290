"""Equations as people read them: names, one printer in two styles (LaTeX, text) and two notations (matrix, index)."""
