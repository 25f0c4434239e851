"""Web page and JSON API of a finished run: uploaded studies, answered with their evidence."""
