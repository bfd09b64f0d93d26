"""What the budgets of the project are measured with, beside their baselines."""
