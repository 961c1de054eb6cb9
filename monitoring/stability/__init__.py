"""Who came onto the list and fell off it, and why?"""
