"""Journeys of any event table and of the store's own touchpoints, brought into the form that is mapped."""
