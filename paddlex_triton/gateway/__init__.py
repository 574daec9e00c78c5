"""PaddleX's REST API in front of Triton, and a page to try it: a FastAPI application over the asyncio client."""
