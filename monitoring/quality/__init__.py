"""May tonight's registers be believed?"""
