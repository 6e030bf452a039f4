"""What the viewer shows of a recording, as a file: one picture as SVG, or a stretch of time as an asciicast."""
