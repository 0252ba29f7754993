"""Ways back: the plan for this installation, and a drill that walks them on a scratch database."""
