"""The data plane: instances that are processes, fleets of them, and the gateway that invokes and mirrors."""
