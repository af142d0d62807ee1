"""The report on a finished run, for the person who must decide: figures, a page, a terminal."""
