"""Results for people and programs: the table of segments and sonification."""
