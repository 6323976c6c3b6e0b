"""The database: SQLite in the data folder, or PostgreSQL by DATABASE_URL."""
