//! Callers as their headers make them.
