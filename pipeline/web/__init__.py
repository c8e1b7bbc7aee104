"""`heed serve`: a page that shows what Redis and the evidence folder hold."""

from pipeline.web.site import site as app

__all__ = ["app"]
