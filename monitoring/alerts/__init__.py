"""Who is told, once, and what stays silent until when."""
