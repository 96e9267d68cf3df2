//! What the inbox counts and logs, and what it never does.
