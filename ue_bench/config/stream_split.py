"""The name of the split that is a stream, and its blocks."""

STREAM = "stream"
BLOCKS = 40  # of a stream, unless a run asks for others
