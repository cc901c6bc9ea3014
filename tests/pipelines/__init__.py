"""Azure Pipelines as far as an example needs it: stages, jobs, matrices, conditions, and the task AzureCLI@2."""
