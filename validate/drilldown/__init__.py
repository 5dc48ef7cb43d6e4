"""One host looked at closely, in testinfra's words: ``pytest validate/drilldown --drill NODE``."""
