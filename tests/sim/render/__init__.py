"""What a trace looks like to people: the structure of the picture, the page and the text, never their pixels."""
