"""Link prediction over any graph, measured on held-out edges."""
