//! Operations from document to answer, in the world of the samples, with calls that a script performs.

mod batches;
mod details;
mod faults;
mod logs;
mod streams;
mod waves;
mod world;
