"""How a store's tables came about, one step a file. A step that has been released never changes."""
