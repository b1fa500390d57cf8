"""People's labels: storing them in the corpus, and scoring segments against them."""
