"""Where weights come from. Each kind of source is a module with one class that fetches a `Weights`."""
