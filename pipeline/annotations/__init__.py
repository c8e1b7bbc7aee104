"""Readers for the annotations that public data sets come with. All give rows, as a labels file does."""
