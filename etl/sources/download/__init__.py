"""Files from the web: asked for with care, and kept by their content."""
