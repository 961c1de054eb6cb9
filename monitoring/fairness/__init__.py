"""Does the list serve every group, over time?"""
