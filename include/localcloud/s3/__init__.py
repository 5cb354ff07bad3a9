"""S3's object operations, on disk."""
