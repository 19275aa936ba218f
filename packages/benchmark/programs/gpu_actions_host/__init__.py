"""Programs that run on the measured host. They measure and print JSON lines; they judge nothing."""

# Raised when what is measured changes, so that old and new results are not compared.
WORKLOAD_VERSION = 2
