"""The programs run inside instance processes: the container contract on a unix socket."""
