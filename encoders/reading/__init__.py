"""Reading of files: images to grey arrays in [0, 1], reports and dialogues to passages."""
