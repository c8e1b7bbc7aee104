"""`report.html`: what `heed evaluate` found out, on one page that needs nothing else."""
