"""Downloads from untrusted servers, with limits on addresses, request rate, time and size."""
