"""How often were the lists right, once it is known who left?"""
