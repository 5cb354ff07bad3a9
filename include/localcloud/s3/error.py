"""S3's errors."""


class S3Error(Exception):
    """An error as S3 names it: `code`, `message` and the HTTP `status`."""

    def __init__(self, code: str, message: str, status: int) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status
