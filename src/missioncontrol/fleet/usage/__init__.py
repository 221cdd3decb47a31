"""What the fleet's tokens cost: each response counted once, priced, held against budgets and habits."""
