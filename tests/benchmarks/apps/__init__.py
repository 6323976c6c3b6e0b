"""What the Python peers serve: each file an application that its server imports by itself, without the tests."""
