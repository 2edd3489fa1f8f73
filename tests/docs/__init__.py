"""The pages under docs/ and the README: their links, their commands, and a runbook page for every hold."""
