"""Link prediction over any graph: which edges are missing, measured on edges held out."""
