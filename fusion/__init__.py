"""How it comes together: features and the embedded graph become a prediction and its reasons."""
