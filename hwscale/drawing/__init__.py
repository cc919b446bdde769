"""Pictures as hand-written SVG, the same text for the same numbers."""
