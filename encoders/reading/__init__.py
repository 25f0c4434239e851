"""How files are read: pictures to grey arrays in [0, 1], reports and dialogues to passages."""
