"""The deploy wizard without its pages: drafts, what vCenter offers, forms, the review and its repetition."""
