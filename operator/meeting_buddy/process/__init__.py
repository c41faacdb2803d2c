"""What every process of the control plane has, operator and HTTP API alike: its logs and its health pages."""
