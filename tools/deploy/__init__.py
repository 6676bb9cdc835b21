"""What makes and checks the deployment: the chart's generated files, the rendered examples, the tools they need."""
