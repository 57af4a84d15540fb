//! What a lineup promises.
