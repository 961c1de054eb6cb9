"""Are the inputs, risks and reasons those of the same time last year?"""
