"""`heed bench`: what this machine does, everything compared in one run on the same material."""
