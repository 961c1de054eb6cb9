"""The registers an office delivers: what they hold, how they are checked, how they enter the lake."""
