"""Does being listed keep pupils at school?"""
