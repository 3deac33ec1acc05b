"""``surefoot run``: an unmodified program, with its thread pools made adaptive or only watched."""
