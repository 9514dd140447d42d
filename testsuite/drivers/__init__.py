"""The drivers and finders of this suite; `suite` says which is for what."""
