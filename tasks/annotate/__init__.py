"""People's labels: keeping them beside the tracks and scoring the segments against them."""
