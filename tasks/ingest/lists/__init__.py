"""Reading of lists and feeds as they are written: RSS, Atom, RDF, JSON Feed, OPML, XSPF, M3U and PLS."""
