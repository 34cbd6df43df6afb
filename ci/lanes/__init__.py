"""Known-bug lanes: does the harness find each known bug where it is, and is it silent where it is not?"""
