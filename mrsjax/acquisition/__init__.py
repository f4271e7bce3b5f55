"""Step 1 of the workflow: what is set before and while the data are acquired."""
