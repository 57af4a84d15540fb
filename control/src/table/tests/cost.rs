//! What one event costs among 2 000 instances.
