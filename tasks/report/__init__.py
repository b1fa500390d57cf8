"""Reports of songs: JSON, exports, pictures, pages and sonification."""
