"""Make the bundle: everything that a node needs to run a hook, in one file named by its content."""
