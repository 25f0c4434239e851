"""Reading and encoding of studies: files to arrays, arrays, text and graph to features."""
