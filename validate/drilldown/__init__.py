"""Head and login nodes, or the one host of ``--drill``, looked at closely in testinfra's words: ``pytest validate``."""
