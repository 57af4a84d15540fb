//! Whole lives of rollouts: the real loop on a real store, with gateways that say what they would have counted.

mod cluster;
mod ends;
mod life;
mod shared;
mod takes_over;
mod world;
