"""The sections of a report, one file each: records to a tidy frame, frame to figure, frame to Markdown."""
