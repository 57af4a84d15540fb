//! Every mistake that a file of a frontend can have, told with its place; directories as people leave them.

mod files;
mod folders;
