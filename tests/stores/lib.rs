//! Tests of what needs TLS, SQLite or PostgreSQL: a package of its own, so that the examples compile without them.
