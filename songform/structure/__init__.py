"""From features to musical form: units, context, states and segments."""
