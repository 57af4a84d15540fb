//! What a lineup promises its operation, and what a trial counts of it.

mod chosen;
mod counted;
mod told;
mod world;
