"""Tables of segments and sections, and sonification."""
