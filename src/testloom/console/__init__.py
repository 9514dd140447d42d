"""What people see of a run: live on a terminal, in lines elsewhere, and at its end."""
