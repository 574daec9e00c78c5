"""Export: official or own weights to verified Triton networks."""
