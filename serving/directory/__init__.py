"""Staff, posts, places and names of pupils, taken from the registers into the service database."""
