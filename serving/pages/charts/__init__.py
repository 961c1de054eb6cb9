"""Charts drawn on the server: their geometry here, their SVG and text alternative in the templates.

All coordinates are those of a view 360 wide; nothing is said by colour alone.
"""

WIDTH = 360
