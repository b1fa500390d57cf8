"""Reports of a song's form: JSON, exports, pictures, pages and sonification."""
