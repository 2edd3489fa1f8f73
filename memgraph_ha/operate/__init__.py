"""The operator's commands: what a person or a script asks of a running cluster, over its HTTP API.

`commands` holds the click commands, `client` the one way to ask, `documents` what is answered, `paint` what is shown.
"""
