"""One rollout, and the list of rollouts, as HTML: for the console, and for the report that is kept."""
