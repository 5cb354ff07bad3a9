"""The only place that says duckdb: capture files of both variants in, mergeable pairs out."""
