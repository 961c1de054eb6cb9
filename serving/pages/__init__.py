"""The teachers' pages: what is shown of lists, pupils, care, units and models, in English and Chinese."""
