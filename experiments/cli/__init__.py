"""The command line: what is typed becomes a call, what comes back becomes words or JSON."""
