"""surefoot under real servers, against each static size of the same server."""
