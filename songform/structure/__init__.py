"""Musical form from features: units, stretches, context, states and segments."""
