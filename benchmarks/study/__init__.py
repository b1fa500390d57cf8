"""Study of the accuracy of the states on composed songs and on songs that people have labeled."""
