"""The chart: templates, schema, alert rules."""
