//! Who is calling: which frontend somebody is, and which unit stays with one version.
//!
//! What arrives is headers, what leaves is a `Claim` and `Units`, which `turnout_control::frontend` judges.
//! Signatures are checked here and nowhere else: `keys` has the gateway's own, `token` the texts that they
//! sign. Nothing here chooses a version, and nothing here is waited for by a request.

mod keys;
mod token;

pub use keys::{Absent, Error as KeysError, Keys};
pub use token::{COOKIE, LIFETIME, Pass, Scheme, Tokens, Verdict, anonymous, cookie};
