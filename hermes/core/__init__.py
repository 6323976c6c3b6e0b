"""The pure heart: values in, values out. No Flask, Redis, SQL or gevent, and nothing else of Hermes but its errors."""
