"""The sections of a report, one file each: records to a frame, frame to figure and Markdown."""
