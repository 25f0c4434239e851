"""What text says of the concepts: report or dialogue in, statements with their spans out."""
