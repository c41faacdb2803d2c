"""Pages of the Teams web client."""
