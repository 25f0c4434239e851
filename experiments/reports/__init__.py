"""Report pages of runs, comparisons, ablations and audits: self-contained HTML or Markdown."""
