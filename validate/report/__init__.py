"""Reports of judged results; each is a pure function to text."""
