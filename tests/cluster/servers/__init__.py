"""Real servers on loopback for the tests of deployments: built or installed once, started for each run."""
