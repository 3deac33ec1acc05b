"""Where the time of a program's threads goes, and which one number to change."""
